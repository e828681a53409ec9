from .account import Account
from .campaign import Campaign
from .history import EndpointPin, StateChange
from .hotline import TOKEN_PATTERN, Hotline, default_countries, default_languages, new_hook_token
from .kind import OwnKind

__all__ = [
    "TOKEN_PATTERN",
    "Account",
    "Campaign",
    "EndpointPin",
    "Hotline",
    "OwnKind",
    "StateChange",
    "default_countries",
    "default_languages",
    "new_hook_token",
]
