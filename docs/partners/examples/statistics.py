"""All hotlines that a key may show, page by page, and what was told of the last week."""

import json
import os
import urllib.request


def get(address):
    """Raises `urllib.error.HTTPError`; its body says why (RFC 9457)."""
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {os.environ['PARAVENT_KEY']}"})
    with urllib.request.urlopen(request, timeout=8) as answer:
        return json.load(answer)


base = f"{os.environ['PARAVENT_URL']}/api/v1"
address = f"{base}/hotlines/?fields=slug,name,number&limit=2"
while address:
    page = get(address)
    for hotline in page["results"]:
        weeks = get(f"{base}/hotlines/{hotline['slug']}/statistics/")
        told = weeks[0]["senders"] if weeks and weeks[0]["senders"] is not None else "not told"
        print(f"{hotline['slug']}: {told}")
    address = page["next"]
