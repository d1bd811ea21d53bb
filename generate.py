"""Continue a MIDI file: `python generate.py PROMPT.mid --out OUT.mid`, as `musenet generate`."""

from musenet.cli.main import run

if __name__ == "__main__":
    run("generate")
