"""What an author may claim of a mechanism; the kit tries to break it."""

from trilemma.testing.claims.book import CLAIMS, claim, claimed

__all__ = ["CLAIMS", "claim", "claimed"]
