# coverage.awk: adds up what `gcov -b -c -t` prints for all objects. A header is compiled into many of
# them: its lines count once, as run if any object ran them. Before that come lines "source PATH", one
# for each file of the project; others are left out. gcov may name them with any folders in front:
# a cache of objects may have compiled them elsewhere.
#
# -v list=1      names the lines that did not run, by file, instead of the table
# -v least=N     ends with status 1 if a folder has less than N % of its lines run

function folder_of(path) {
  sub(/\/[^\/]*$/, "", path)
  return path
}

function percent(part, whole) {
  return whole ? 100 * part / whole : 100
}

/^source / { known[$2]; next }

/^ *-: *0:Source:/ {
  sub(/^ *-: *0:Source:/, "")
  file = $0
  while (!(file in known) && file ~ /\//) sub(/^[^\/]*\//, "", file)
  if (!(file in known)) file = ""
  line = 0
  next
}

file == "" { next }

/^ *[-#=0-9][-#=0-9*]*: *[0-9]+:/ {
  split($0, part, ":")
  line = part[2] + 0
  branch = 0
  key = file SUBSEP line
  if (part[1] ~ /-$/) next
  if (!(key in ran)) { ran[key] = 0; files[file]; if (line > last[file]) last[file] = line }
  if (part[1] !~ /[#=]/) ran[key] = 1
  next
}

/^branch / {
  key = file SUBSEP line SUBSEP branch++
  if (!(key in taken)) taken[key] = 0
  if ($3 == "taken" && $4 > 0) taken[key] = 1
}

END {
  if (list) {
    for (file in files) {
      text = ""; first = 0
      for (line = 1; line <= last[file] + 1; line++) {
        key = file SUBSEP line
        if (key in ran && !ran[key]) { if (!first) first = line; until = line; continue }
        if (first && (key in ran || line > last[file])) {
          text = text (text == "" ? "" : " ") first (until > first ? "-" until : "")
          first = 0
        }
      }
      if (text != "") print file ": " text | "sort"
    }
    exit 0
  }
  for (key in ran) {
    split(key, part, SUBSEP)
    folder = folder_of(part[1])
    lines[folder]++; done[folder] += ran[key]; all++; all_done += ran[key]
  }
  for (key in taken) {
    split(key, part, SUBSEP)
    folder = folder_of(part[1])
    branches[folder]++; went[folder] += taken[key]; ways++; ways_done += taken[key]
  }
  format = "%-14s %6s lines %6.1f %%   %6s branches %6.1f %%\n"
  for (folder in lines) {
    p = percent(done[folder], lines[folder])
    if (p < least) few = few " " folder
    printf format, folder, lines[folder], p, branches[folder] + 0, percent(went[folder], branches[folder]) | "sort"
  }
  close("sort")
  printf format, "all", all, percent(all_done, all), ways, percent(ways_done, ways)
  if (!all) { print "no figures: run the tests first"; exit 1 }
  if (few != "") { print "below " least " % of lines:" few; exit 1 }
}
