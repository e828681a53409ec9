"""Check an event: the body on standard input, its headers in the environment. `pip install standardwebhooks`."""

import os
import sys

from standardwebhooks.webhooks import Webhook

names = ("webhook-id", "webhook-timestamp", "webhook-signature")
headers = {name: os.environ[name.replace("-", "_").upper()] for name in names}
event = Webhook(os.environ["PARAVENT_SIGNING_KEY"]).verify(sys.stdin.buffer.read(), headers)
print(event["type"])
