#!/bin/sh
# From a system of the organization: answer at most three times, if nobody has changed the limits since we read them.
set -eu
address="$PARAVENT_URL/api/v1/numbers/$1/policy/"
version=$(curl --fail --silent --show-error --head --header "Authorization: Bearer $PARAVENT_KEY" "$address" |
	tr -d '\r' | sed -n 's/^[Ee][Tt][Aa][Gg]: //p')
curl --fail --silent --show-error --request PATCH --header "Authorization: Bearer $PARAVENT_KEY" \
	--header "If-Match: $version" --header "Idempotency-Key: limit-$1-3" \
	--header "Content-Type: application/json" --data '{"reply_limit": 3}' "$address"
