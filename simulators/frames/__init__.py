"""Raw Modbus frames between a collector and devices: recorded on site, replayed at home with faults.

Recordings of frames are what went over the wire, byte by byte. What the collectors made of it, the samples of
a whole site, is recorded and replayed by ``simulators.recording``.
"""
