"""How many devices a reload may take out of a site before somebody has to say that it is meant."""

from dcops.site_file import LoadedSite

FEW = 10
"""So many may go, however small the site."""
SHARE = 0.1
"""Of the devices of a site; more of them do not go unless that is said."""
_MOST_NAMED = 5


class ManyRemovedError(Exception):
    """More devices would go than may without being asked for."""

    def __init__(self, gone: tuple[str, ...], count: int) -> None:
        more = ", …" if len(gone) > _MOST_NAMED else ""
        super().__init__(
            f"{len(gone)} of {count} devices would be removed ({', '.join(gone[:_MOST_NAMED])}{more})"
        )
        self.gone = len(gone)


def refuse_many_removed(before: LoadedSite, now: LoadedSite, removing: int) -> None:
    """Let a site be replaced by another one, unless that looks like half of a file.

    Args:
        before: the site that runs.
        now: the one to take its place.
        removing: so many devices may go in any case.

    Raises:
        ManyRemovedError: more would go.
    """
    devices = before.site.devices
    if now.site.devices is devices:
        return
    stay = now.site.device_index
    gone = tuple(each.id for each in devices if each.id not in stay)
    if len(gone) > max(FEW, SHARE * len(devices), removing):
        raise ManyRemovedError(gone, len(devices))
