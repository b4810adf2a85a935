"""Who is this process? Everything it says (log lines, spans, metrics) carries these words."""

import os

SERVICE = os.environ["SHOP_SERVICE"]
INSTANCE = os.environ["SHOP_INSTANCE"]
ZONE = os.environ["SHOP_ZONE"]
VERSION = os.environ["SHOP_VERSION"]
