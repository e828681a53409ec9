from .jobs import ExportJob
from .keys import ApiKey, ApiWrite, Audience, Scope
from .webhooks import Delivery, Endpoint, Event, ToldAlert

__all__ = [
    "ApiKey",
    "ApiWrite",
    "Audience",
    "Delivery",
    "Endpoint",
    "Event",
    "ExportJob",
    "Scope",
    "ToldAlert",
]
