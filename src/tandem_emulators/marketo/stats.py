"""Usage and errors of today and of the last seven days (2.4); they need no permission."""

from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.limits import Limits
from tandem_emulators.marketo.subscription import Handler

WEEK_DAYS = 7


def handlers(limits: Limits) -> dict[str, Handler]:
    def usage(days: int) -> Handler:
        return lambda subscription, call: Reply(list(limits.usage(call.now_s, days)))

    def errors(days: int) -> Handler:
        return lambda subscription, call: Reply(list(limits.errors(call.now_s, days)))

    return {
        "stats.usage": usage(1),
        "stats.usage.week": usage(WEEK_DAYS),
        "stats.errors": errors(1),
        "stats.errors.week": errors(WEEK_DAYS),
    }
