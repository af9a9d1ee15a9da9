"""Uids of the dashboards: they are addresses that people bookmark, so they never change."""

from facility.spaces import Level

CAMPUS = "dcops-campus"
BUILDING = "dcops-building"
HALL = "dcops-hall"
ROW = "dcops-row"
RACK = "dcops-rack"
POWER_PATH = "dcops-power-path"
COOLING = "dcops-cooling"
PUE = "dcops-pue"
COLLECTION = "dcops-collection"
DEVICE = "dcops-device"

BY_LEVEL = {
    Level.CAMPUS: CAMPUS,
    Level.BUILDING: BUILDING,
    Level.HALL: HALL,
    Level.ROW: ROW,
    Level.RACK: RACK,
}
"""Where a space of a level is shown."""
