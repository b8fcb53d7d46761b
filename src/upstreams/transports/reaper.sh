# Ends what a gateway started once the gateway is gone, however it went. Read by /bin/sh with two arguments: the mark
# that all its processes carry in their environment, and the directory that holds their private ones.
#
# The gateway holds the other end of stdin and writes +<group> for every process group it starts, -<group> for every one
# that is gone. The kernel closes that end when the gateway dies. A child between fork and exec holds a copy of it until
# exec, so at the end of input no child is without its mark: none can slip through between its start and its line.

# Signals every group that is left and, where /proc tells, every process with the mark. False when there was none.
signal_all() {
  found=1
  for group in $groups; do
    kill -s "$1" -- "-$group" 2>/dev/null && found=0
  done
  for file in $(grep -lF "GATEHOUSE_PROCESS=$mark." /proc/[0-9]*/environ 2>/dev/null); do
    pid=${file#/proc/}
    kill -s "$1" "${pid%/environ}" 2>/dev/null && found=0
  done
  return $found
}

# A function, so that the shell has read the whole script before the first line of input comes.
main() {
  mark=${1:?} directory=${2:?} groups=' '
  # What ends the gateway (Ctrl-C, a service stop) must not end its watchdog first.
  trap '' HUP INT QUIT TERM
  while read -r line; do
    group=${line#?}
    case $group in
      '' | *[!0-9]* | 0* | 1) continue ;;
    esac
    case $line in
      +*) groups="$groups$group " ;;
      -*)
        case $groups in
          *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
        esac
        ;;
    esac
  done
  signal_all TERM && sleep 1
  for _ in 1 2 3 4 5; do
    signal_all KILL || break
    sleep 1
  done
  rm -rf -- "$directory"
  exit
}

main "$@"
