"""``make bench-campus``: a whole campus, simulator and dcops as processes of their own, and what it costs.

- ``case``: what one run is to be.
- ``sites``: the generated site, and the copy of it that dcops runs, with probes, rules and stores.
- ``processes``: programs that are started, what they take, and how they end.
- ``api``: what dcops tells of itself.
- ``probes``: devices whose registers change at a known time.
- ``measuring``: one run.
- ``bars``: what is asked of it.
- ``table``: what is printed and written.
- ``telegraf``, ``sink``, ``beside``: the same site read by Telegraf.
"""
