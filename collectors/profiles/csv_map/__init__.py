"""Register maps in the CSV form: read, understood, and written as profiles.

A map is one comment line (``# source: DOCUMENT (MAKER AND MODEL). QUIRKS; …``), a header
``name,register_type,address,data_type,word_order,scale,offset,unit,description`` and one row a register.
Quirks of the device are read out of the comment, those of a register out of its description.
"""

from collectors.profiles.csv_map.importer import ImportedProfile, Note, import_map

__all__ = ["ImportedProfile", "Note", "import_map"]
