"""What Tandem serves over HTTP: parse, call app, answer."""
