"""What does the customer pay? Amounts are in the smallest unit of the currency."""

CURRENCY = {"eu": "EUR", "us": "USD", "ap": "JPY"}
DECIMALS = {"EUR": 2, "USD": 2}
TAX = {"eu": 0.20, "us": 0.08, "ap": 0.10}


def quote(amount: int, *, region: str, plan: str) -> int:
    """The price with tax."""
    return round(amount * (1 + TAX[region]))


def quote_rounded(amount: int, *, region: str, plan: str) -> int:
    """The price with tax, rounded to whole units for business customers (flag `rounded_prices`)."""
    if plan != "business":
        return quote(amount, region=region, plan=plan)
    unit = 10 ** DECIMALS[CURRENCY[region]]
    return unit * round(quote(amount, region=region, plan=plan) / unit)
