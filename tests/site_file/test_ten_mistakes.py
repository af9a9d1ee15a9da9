"""All mistakes of a site are told at once, each once, and none for what another one caused."""

from pathlib import Path

import pytest

from dcops.commands import check
from dcops.site_file import SiteProblems, load
from tests.site_file.arguments import parsed
from tests.site_file.sites import write_site

SITE = """\
dcops: 1
name: Ten mistakes
timezone: Europe/Berln
collection: {period: 10}
spaces:
  - {id: campus, level: campus}
  - {id: b1, level: building, in: campus}
  - {id: h1, level: hall, in: b1}
  - {id: r1, level: row, in: k1}
  - {id: k1, level: rack, in: h1}
  - {id: k2, level: rack, in: h2}
endpoints:
  - {id: gw, protocol: modbus-tcp, host: 10.0.0.1, prot: 502}
stores:
  - {kind: influxdb, url: http://db:8086, org: dc, bucket: dc, token: abcdef}
"""
DEVICES = """\
id,kind,in,profile,endpoint,unit,feed,serves
ups-a,ups,h1,ups,gw,1,A,rpp-a
rpp-a,rpp,h1,rpp,gw,1,A,pdu-a
pdu-a,rack_pdu,k1,rack-pdu,gw,3,a,k1
pdu-b,rack_pdu,k1,rack_pdu,gw,4,B,k1
pdu-b,rack_pdu,k2,rack-pdu,gw,5,B,k2
"""
EXPECTED = """\
devices.csv:3: device rpp-a: unit 1 of endpoint 'gw' is ups-a already (line 2); mend one
devices.csv:4: device pdu-a: feed: 'a' is no feed; write A or B
devices.csv:5: device pdu-b: profile 'rack_pdu' is unknown; did you mean 'rack-pdu'?
devices.csv:6: device pdu-b: this id is taken (line 5); give it another
site.yaml:3: site Ten mistakes: timezone: 'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?
site.yaml:4: collection: period: '10' is no duration; write a number with ms, s, min, h or d, such as 10s
site.yaml:9: space r1: a row cannot stand in a rack (k1); put it in one of campus, building, hall
site.yaml:11: space k2: in: 'h2' is not in this site; describe it or write another
site.yaml:13: endpoint gw: unknown key 'prot'; did you mean 'port'?
site.yaml:15: store: token: a secret must not stand in a site (not shown); write token_env: … or token_file: …
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", SITE, devices=DEVICES)


def test_ten_mistakes_give_ten_problems_with_file_and_line(site: Path) -> None:
    with pytest.raises(SiteProblems) as caught:
        load(site)

    assert [str(each).replace(f"{site}/", "") for each in caught.value.problems] == EXPECTED.splitlines()


def test_check_prints_them_in_order_and_fails(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = check.run(parsed(check, "check", str(site)))

    out, err = capsys.readouterr()
    assert code == 1
    assert out == ""
    assert err.replace(f"{site}/", "") == f"{EXPECTED}{site}: 10 mistakes\n"
