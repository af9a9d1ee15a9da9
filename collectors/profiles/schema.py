"""placeholder"""
def profile_schema() -> dict[str, object]:
    return {}
