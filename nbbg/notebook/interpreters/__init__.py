"""Which Python a notebook runs in: chosen, asked, made where a header says so, and entered."""
