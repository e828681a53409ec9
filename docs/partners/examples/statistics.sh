#!/bin/sh
# Figures of whole weeks, with a key.
curl --fail --silent --show-error --header "Authorization: Bearer $PARAVENT_KEY" \
	"$PARAVENT_URL/api/v1/hotlines/$1/statistics/"
