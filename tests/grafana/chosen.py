"""What a reader has chosen at the top of the dashboards, for a generated site."""

CHOSEN = {
    "campus": "campus",
    "building": "b1",
    "hall": "b1-h1",
    "row": "b1-h1-r01",
    "rack": "b1-h1-r01-k01",
    "node": "campus",
    "category": "3",
    "kind": "rack_pdu",
    "device": "b1-h1-r01-k01-pdu-a",
    "point": "active_power",
}
