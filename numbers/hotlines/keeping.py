"""How long a number keeps what it receives: what it begins with, and the longest (SECURITY.md 4.3).

Longer than that only what a person holds as evidence is kept. `conversations.retention` erases what is over.
"""

from __future__ import annotations

#: Days a text is kept; with 0 none is stored at all: messages are counted, and that is all.
TEXT_DAYS, LONGEST_TEXT_DAYS = 30, 180
#: Days a sender's number is kept after his last message, and after his last reply is over.
NUMBER_DAYS, LONGEST_NUMBER_DAYS = 30, 180
#: Days the body of a request that could not be read is kept for a person to look at.
BODY_DAYS, LONGEST_BODY_DAYS = 3, 7
#: Days a row without text and number is kept: it tells a repeated delivery from a new message, and what was paid for.
ROW_DAYS = 396
