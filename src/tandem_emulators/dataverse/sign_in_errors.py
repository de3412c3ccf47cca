"""Refusals of the sign-in service: number, OAuth error, status and text (sheet 1.3).

The number and the `error` are the stable part; Microsoft says not to program against the texts.
"""

from collections.abc import Mapping


class SignInError(Exception):
    def __init__(self, number: int, error: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.number, self.error, self.text, self.status = number, error, text, status


class TooManySignInsError(Exception):
    """Answered with a bare 429 and how long to wait; it has no AADSTS number."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


def _grant(number: int, text: str) -> SignInError:
    return SignInError(number, "invalid_grant", text)


def _client(number: int, text: str) -> SignInError:
    return SignInError(number, "invalid_client", text, 401)


# The user.


def unknown_user(username: str, tenant_id: str) -> SignInError:
    return _grant(50034, f"The user account {username} does not exist in the {tenant_id} directory.")


def wrong_password() -> SignInError:
    return _grant(50126, "Error validating credentials due to invalid username or password.")


def account_locked() -> SignInError:
    text = "The account is locked, you've tried to sign in too many times with an incorrect user ID or password."
    return _grant(50053, text)


# By the words of the setting `account_state`.
ACCOUNT_STATES: Mapping[str, tuple[int, str]] = {
    "locked": (50053, str(account_locked())),
    "password_expired": (50055, "The password is expired."),
    "disabled": (50057, "The user account is disabled."),
    "needs_mfa": (
        50076,
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "use multi-factor authentication to access the resource.",
    ),
    "must_enrol_mfa": (
        50079,
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "enroll in multi-factor authentication to access the resource.",
    ),
}


def account_refusal(state: str) -> SignInError | None:
    return _grant(*ACCOUNT_STATES[state]) if state in ACCOUNT_STATES else None


def bad_refresh_token() -> SignInError:
    return _grant(70000, "The provided value for the input parameter 'refresh_token' is not valid.")


def no_consent(client_id: str) -> SignInError:
    text = (
        f"The user or administrator has not consented to use the application with ID '{client_id}'. Send an "
        "interactive authorization request for this user and resource."
    )
    return _grant(65001, text)


# The application and its credential.


def unknown_application(client_id: str) -> SignInError:
    text = (
        f"Application with identifier '{client_id}' was not found in the directory 'Contoso'. This can happen "
        "if the application has not been installed by the administrator of the tenant or consented to by any "
        "user in the tenant. You may have sent your authentication request to the wrong tenant."
    )
    return SignInError(700016, "unauthorized_client", text)


def wrong_secret(client_id: str) -> SignInError:
    text = (
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
        f"value, not the client secret ID, for a secret added to app '{client_id}'."
    )
    return _client(7000215, text)


def credential_missing() -> SignInError:
    text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
    return _client(7000218, text)


def secret_expired(client_id: str) -> SignInError:
    text = f"The provided client secret keys for app '{client_id}' are expired."
    return _client(7000222, text)


def malformed_assertion() -> SignInError:
    return SignInError(50027, "invalid_request", "JWT token is invalid or malformed.")


def key_not_found(thumbprint: str, client_id: str) -> SignInError:
    text = (
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        f"[Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}', Please visit the Azure "
        f"Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{client_id}'.]"
    )
    return _client(700027, text)


def bad_signature(thumbprint: str) -> SignInError:
    text = (
        "Client assertion failed signature validation. [Reason - The provided signature value did not match the "
        f"expected signature value., Thumbprint of key used by client: '{thumbprint}']"
    )
    return _client(700027, text)


def assertion_of_another() -> SignInError:
    return _client(700021, "Client assertion application identifier doesn't match 'client_id' parameter.")


def assertion_for_another() -> SignInError:
    return _client(700023, "Client assertion audience claim does not match Realm issuer.")


def assertion_out_of_time(now: str, valid_from: str, valid_to: str) -> SignInError:
    text = (
        f"Client assertion is not within its valid time range. Current time: {now}, assertion valid from "
        f"{valid_from}, expiry time of assertion {valid_to}."
    )
    return _client(700024, text)


# The request.


def unknown_tenant(tenant: str) -> SignInError:
    text = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
        "the correct cloud. Check with your subscription administrator, this may happen if there are no "
        "active subscriptions for the tenant."
    )
    return SignInError(90002, "invalid_request", text)


def tenant_not_allowed(tenant: str) -> SignInError:
    text = f"The tenant '{tenant}' cannot be used with client credentials; use a tenant of its own."
    return SignInError(90002, "invalid_request", text)


def not_over_common() -> SignInError:
    return SignInError(9001023, "invalid_request", "The grant type is not supported over the /common endpoint.")


def only_post(method: str) -> SignInError:
    text = f"The endpoint only accepts POST requests. Received a {method} request."
    return SignInError(900561, "invalid_request", text)


def malformed_request() -> SignInError:
    return SignInError(9002313, "invalid_request", "Invalid request. Request is malformed or invalid.")


def parameter_missing(name: str) -> SignInError:
    text = f"The request body must contain the following parameter: '{name}'."
    return SignInError(900144, "invalid_request", text)


def unsupported_grant(grant_type: str) -> SignInError:
    return SignInError(70003, "unsupported_grant_type", f"The app requested an unsupported grant type '{grant_type}'.")


def bad_scope(scope: str) -> SignInError:
    text = f"The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
    return SignInError(70011, "invalid_scope", text)


def unknown_resource(resource: str) -> SignInError:
    text = (
        f"The resource principal named {resource} was not found in the tenant named Contoso. This can happen "
        "if the application has not been installed by the administrator of the tenant or consented to by any "
        "user in the tenant. You might have sent your authentication request to the wrong tenant."
    )
    return SignInError(500011, "invalid_resource", text)
