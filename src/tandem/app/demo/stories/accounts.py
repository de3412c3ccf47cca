"""What becomes of accounts, users and teams, and of the people who belong to them."""
