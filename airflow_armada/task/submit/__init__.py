"""Getting the one job of a try: submitted, found again, or taken over from an earlier try."""
