"""The records: batches, attempts, claims, journals; and the state that is derived from them."""
