"""The knobs, the starter content and every sentence a person can receive."""
