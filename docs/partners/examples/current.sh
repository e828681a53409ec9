#!/bin/sh
# Which number to show now. No key is needed.
curl --fail --silent --show-error "$PARAVENT_URL/api/v1/hotlines/$1/current/?language=fr"
