"""What the scripts that end with lines `name: value` share."""
import argparse


class Figures:
    """Notes figures; prints each when it is known, and all again at the end."""

    def __init__(self, indent="    "):
        self.lines, self.indent = [], indent

    def figure(self, name, value, target=None, most=True, digits=3):
        """Notes a figure; the target is its upper bound, or its lower bound unless `most`."""
        verdict = ""
        if target is not None:
            met = value <= target if most else value >= target
            verdict = "  (target %s %g: %s)" % ("<=" if most else ">=", target, "met" if met else "MISSED")
        self.note("%s: %.*f%s" % (name, digits, value, verdict))

    def note(self, line):
        self.lines.append(line)
        print(self.indent + line, flush=True)


def arguments(description):
    """The options that all of them have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="folder of the programs in C")
    parser.add_argument("--oxbow", required=True, help="the interpreter")
    parser.add_argument("--quick", action="store_true", help="smaller heaps, fewer rounds")
    return parser


def run_sections(parser, sections, make):
    """Runs the sections that are asked for, or all, on what `make` gives for the arguments."""
    parser.add_argument("--only", help="sections, separated by commas: " + ", ".join(sections))
    args = parser.parse_args()
    names = args.only.split(",") if args.only else list(sections)
    if not set(names) <= set(sections):
        parser.error("sections are " + ", ".join(sections))
    bench = make(args)
    for name in names:
        sections[name](bench)
    print()
    print("\n".join(bench.lines))
