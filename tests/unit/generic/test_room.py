"""What df and quota print, and from where on a person is warned."""

from __future__ import annotations

import pytest

from crankshaft_core.backends.generic.room import Room, full

HEAD = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
SPACE = HEAD + "nas:/vol/uni  264212084 21439676  74061588      23% /scratch/my uni\n"
INODES = (
    "Filesystem  Inodes  IUsed    IFree IUse% Mounted on\nnas:/vol/uni 16777216 809435 15967781    5% /scratch/my uni\n"
)
QUOTA = """Disk quotas for user me (uid 1000):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
  nas:/vol/uni {blocks} 1048576 2097152       0    {files}   10000   20000       0
      nas:/other 9999999 1 1 0 1 1 1 0
"""


def test_what_is_free_is_told() -> None:
    assert list(Room(SPACE, INODES).notes()) == ["70.6 GiB, 15967781 inodes free there"]


def test_enough_room_is_no_reason_to_warn() -> None:
    assert list(Room(SPACE, INODES, QUOTA.format(blocks=500, files=3)).warnings()) == []


def test_little_room_is_warned_of() -> None:
    little = HEAD + "/dev/sda 1000000 500000 500000 50% /home\n"
    assert list(Room(little).warnings()) == ["work_dir has 0.48 GiB left"]


def test_few_inodes_are_warned_of() -> None:
    few = INODES.replace("15967781", "812")
    assert list(Room(SPACE, few).warnings()) == ["work_dir has 812 inodes left, and each task takes about ten"]


def test_a_file_system_without_a_fixed_number_of_inodes_warns_of_none() -> None:
    none = "Filesystem Inodes IUsed IFree IUse% Mounted on\nnas:/vol/uni 0 0 0 0% /scratch/my uni\n"
    assert list(Room(SPACE, none).warnings()) == []


@pytest.mark.parametrize(
    ("blocks", "files", "said"),
    [
        ("1040000", "3", "work_dir: 1.0 GiB of a quota of 1.0 GiB are used"),
        ("1148576*", "3", "work_dir: 1.1 GiB of a quota of 1.0 GiB are used"),
        ("500", "9500", "work_dir: 9500 files of a quota of 10000 files are used"),
    ],
)
def test_a_quota_that_is_nearly_used_up_is_warned_of(blocks: str, files: str, said: str) -> None:
    assert list(Room(SPACE, INODES, QUOTA.format(blocks=blocks, files=files)).warnings()) == [said]


def test_nothing_is_made_of_no_answer() -> None:
    assert (list(Room("").notes()), list(Room("", "", "quota: no such thing").warnings())) == ([], [])


@pytest.mark.parametrize(
    ("said", "lack"),
    [
        ("tar: job: Cannot write: Disk quota exceeded", "quota exceeded"),
        ("mkdir: cannot create directory 'x': No space left on device", "no space left on device"),
        ("Permission denied", None),
    ],
)
def test_what_there_is_no_more_of_is_read_from_the_systems_words(said: str, lack: str | None) -> None:
    assert full(said) == lack
