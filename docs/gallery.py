"""Make the pictures of docs/gallery.md: python docs/gallery.py WORK

Runs the demo in the folder WORK, writes its report and one of scored recordings there, and takes
pictures of them with Chromium. Takes some minutes; what WORK has already is kept.
"""

import sys
from pathlib import Path

from dgmix.detect.detector import Detector
from dgmix.evaluate.report import write_report
from dgmix.evaluate.report.listening import write_listening_report
from dgmix.pipeline import demo

ROOT = Path(__file__).parents[1]
MACHINE = "gearbox"
CHOOSE = f"""
const form = document.querySelector("form.choose");
form.elements.machine.value = "{MACHINE}";
form.elements.machine.dispatchEvent(new Event("change", {{ bubbles: true }}));
"""
CARD = ".card:has(#clip-2)"
MAPS = f"#maps ~ [data-machine={MACHINE}]"
QUALITY = 70


def main(work: Path) -> None:
    """Write the reports and take the pictures."""
    run = demo(work)
    recordings = work / "data" / MACHINE
    listening = write_listening_report(
        Detector.load(run / MACHINE / "seed0" / "detector.dgmix"),
        recordings / "test",
        work / "listening.html",
        healthy=recordings,
        title=f"{MACHINE}.dgmix",
        top=3,
    )
    take_pictures(write_report(run), listening)


def take_pictures(run: Path, listening: Path) -> None:
    """Write the pictures of both reports to docs/images."""
    sys.path.insert(0, str(ROOT / "tests" / "evaluate" / "report"))
    from chromium import Browser

    browser = Browser()
    try:
        browser.open(run, width=1200)
        browser.run(CHOOSE)
        save("run", browser.picture("#main section", QUALITY))
        save("maps", browser.picture(MAPS, QUALITY))
        browser.open(listening, width=1200)
        save("listening", browser.picture(CARD, QUALITY))
        browser.open(listening, width=390)
        save("phone", browser.picture(CARD, QUALITY, most=900))
    finally:
        browser.close()


def save(name: str, picture: bytes) -> None:
    """Write a picture and say how large it is."""
    path = ROOT / "docs" / "images" / f"{name}.webp"
    path.write_bytes(picture)
    print(f"{path}: {len(picture) / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
