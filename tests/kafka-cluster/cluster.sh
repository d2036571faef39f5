#!/usr/bin/env bash
# A small real Kafka cluster on loopback for tests: one controller (node 100) and NB brokers (nodes 1..NB), KRaft, plaintext,
# two log directories and alternating racks r1, r2 per broker. Needs a JDK (17 or newer); Maven only to fetch the jars once.
#
#   cluster.sh fetch            fetch the jars of VERSION into LIB, if they are not there
#   cluster.sh up               fetch, format and start everything, wait until it serves
#   cluster.sh startnode N      start a node that was killed; returns at once
#   cluster.sh kill N           kill -9 one node          cluster.sh term N   ask it to shut down
#   cluster.sh movedir TOPIC PARTITION N RATE    let broker N move its replica to its other directory at RATE bytes per second
#   cluster.sh status           one line per node         cluster.sh stop     controlled shutdown of all
#   cluster.sh clean            kill -9 all and remove DATA
#
# Environment, all optional:
#   VERSION 4.3.1      Kafka version; 3.9.x and 4.x are known
#   LIB lib-$VERSION   folder of its jars                      DATA in /tmp      folder of logs, configs and pids
#   NB 4               number of brokers                       PORT 19090        broker N at PORT+N, controller at PORT+100
#   SESSION_MS 9000    a silent broker is fenced after this    HEARTBEAT_MS 2000 how often brokers report
#   EXTRA_B, EXTRA_C   files with more properties of brokers and of the controller; @ID@ and @DATA@ are replaced, and a key given
#                      twice takes its last value
#   HEAP_B 256m, HEAP_C 192m      Java heaps                   LOG_LEVEL INFO
#   OWNER_PID          when this process is gone, all nodes are killed and DATA is removed
set -u
here=$(cd "$(dirname "$0")" && pwd)
VERSION=${VERSION:-4.3.1}
LIB=${LIB:-$here/lib-$VERSION}
DATA=${DATA:-${TMPDIR:-/tmp}/ballast-kafka-cluster}
NB=${NB:-4}
PORT=${PORT:-19090}
CONTROLLER=100
CONTROLLER_PORT=$((PORT + 100))
CLUSTER_ID=${CLUSTER_ID:-ballastTestClusterAAAA}
java_flags="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -XX:MaxMetaspaceSize=160m -Djava.awt.headless=true"

all_nodes() { echo $CONTROLLER; seq 1 "$NB"; }

extra() { # file, node
  if [ -n "$1" ]; then sed -e "s|@ID@|$2|g" -e "s|@DATA@|$DATA|g" "$1"; fi
}

controller_properties() {
  cat <<END
process.roles=controller
node.id=$CONTROLLER
listeners=CONTROLLER://127.0.0.1:$CONTROLLER_PORT
log.dirs=$DATA/n$CONTROLLER/d0
broker.session.timeout.ms=${SESSION_MS:-9000}
num.network.threads=1
num.io.threads=2
default.replication.factor=3
listener.security.protocol.map=CONTROLLER:PLAINTEXT
END
  extra "${EXTRA_C:-}" $CONTROLLER
}

broker_properties() { # node
  local rack=r$((($1 - 1) % 2 + 1)) address=127.0.0.1:$((PORT + $1))
  cat <<END
process.roles=broker
node.id=$1
broker.rack=$rack
listeners=PLAINTEXT://$address
advertised.listeners=PLAINTEXT://$address
log.dirs=$DATA/n$1/d0,$DATA/n$1/d1
broker.heartbeat.interval.ms=${HEARTBEAT_MS:-2000}
num.network.threads=2
num.io.threads=4
num.replica.fetchers=1
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
offsets.topic.num.partitions=1
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
group.initial.rebalance.delay.ms=0
auto.leader.rebalance.enable=false
auto.create.topics.enable=false
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
END
  extra "${EXTRA_B:-}" "$1"
}

write_properties() { # node
  mkdir -p "$DATA/n$1"
  {
    if [ "$1" = $CONTROLLER ]; then controller_properties; else broker_properties "$1"; fi
    echo "controller.listener.names=CONTROLLER"
    echo "controller.quorum.voters=$CONTROLLER@127.0.0.1:$CONTROLLER_PORT"
  } > "$DATA/n$1/server.properties"
}

# Kafka 4 logs through log4j 2, 3.9 through reload4j; each reads its own file and never sees the other.
write_log_configs() {
  local pattern='[%d] %p %m (%c{1})%n' level=${LOG_LEVEL:-INFO}
  cat > "$DATA/log4j2.properties" <<END
status=error
appender.file.type=File
appender.file.name=FILE
appender.file.fileName=\${sys:node.log}
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=$pattern
rootLogger.level=$level
rootLogger.appenderRef.file.ref=FILE
END
  cat > "$DATA/log4j.properties" <<END
log4j.rootLogger=$level, FILE
log4j.appender.FILE=org.apache.log4j.FileAppender
log4j.appender.FILE.File=\${node.log}
log4j.appender.FILE.layout=org.apache.log4j.PatternLayout
log4j.appender.FILE.layout.ConversionPattern=$pattern
END
}

logging_flags() { # log file
  echo "-Dnode.log=$1 -Dlog4j2.configurationFile=$DATA/log4j2.properties -Dlog4j.configuration=file:$DATA/log4j.properties"
}

fetch() {
  [ -e "$LIB/.complete" ] && return
  exec 9> "$LIB.lock"
  flock 9
  [ -e "$LIB/.complete" ] && return
  local profile=""
  case $VERSION in
    3.*) profile="-P kafka-3.9" ;;
    4.[0-3].*) ;;
    *) profile="-P kafka-4.4" ;;
  esac
  # shellcheck disable=SC2086
  mvn -q -B -f "$here/pom.xml" $profile -Dkafka.version="$VERSION" dependency:copy-dependencies \
    -DoutputDirectory="$LIB" -DincludeScope=runtime && touch "$LIB/.complete"
}

format() {
  mkdir -p "$DATA"
  write_log_configs
  for node in $(all_nodes); do
    write_properties "$node"
    # shellcheck disable=SC2046,SC2086
    java $java_flags -Xmx128m $(logging_flags "$DATA/format.log") -cp "$LIB/*" kafka.tools.StorageTool \
      format -t "$CLUSTER_ID" -c "$DATA/n$node/server.properties" >> "$DATA/format.out" 2>&1 ||
      { tail -n 5 "$DATA/format.out" "$DATA/format.log" >&2; return 1; }
  done
}

pid_of() { cat "$DATA/n$1/pid" 2> /dev/null; }
alive() { local pid; pid=$(pid_of "$1") && [ -n "$pid" ] && kill -0 "$pid" 2> /dev/null; }

startnode() {
  local heap=${HEAP_B:-256m}
  [ "$1" = $CONTROLLER ] && heap=${HEAP_C:-192m}
  write_properties "$1"
  rm -f "$DATA/n$1/server.log"
  # shellcheck disable=SC2046,SC2086
  setsid java $java_flags -Xms64m -Xmx$heap $(logging_flags "$DATA/n$1/server.log") -cp "$LIB/*" kafka.Kafka \
    "$DATA/n$1/server.properties" > "$DATA/n$1/out.log" 2>&1 < /dev/null &
  echo $! > "$DATA/n$1/pid"
}

# The line comes a moment before the listener takes connections: clients retry.
wait_until_started() {
  local deadline=$((SECONDS + ${START_TIMEOUT_S:-120})) waiting
  while [ $SECONDS -lt $deadline ]; do
    waiting=""
    for node in $(all_nodes); do
      grep -q "Kafka Server started" "$DATA/n$node/server.log" 2> /dev/null && continue
      alive "$node" || { echo "node $node died" >&2; tail -n 5 "$DATA/n$node/server.log" "$DATA/n$node/out.log" >&2; return 1; }
      waiting="$waiting $node"
    done
    [ -z "$waiting" ] && return 0
    sleep 0.2
  done
  echo "nodes$waiting did not start in time" >&2
  return 1
}

kill_all() { for node in $(all_nodes); do alive "$node" && kill -9 "$(pid_of "$node")"; done; return 0; }

watch_owner() {
  [ -z "${OWNER_PID:-}" ] && return
  setsid "$0" watch > /dev/null 2>&1 < /dev/null &
}

# The folder vanishes when the cluster is cleaned: then there is nothing left to watch.
watch() {
  while [ -d "$DATA" ]; do
    kill -0 "$OWNER_PID" 2> /dev/null || { kill_all; rm -rf "$DATA"; }
    sleep 1
  done
}

end_node() { # node, seconds it may take
  alive "$1" || return 0
  for _ in $(seq $(($2 * 5))); do alive "$1" || return 0; sleep 0.2; done
  kill -9 "$(pid_of "$1")"
}

# Brokers first: their controlled shutdown needs the controller.
stop() {
  for node in $(seq 1 "$NB"); do alive "$node" && kill "$(pid_of "$node")"; done
  for node in $(seq 1 "$NB"); do end_node "$node" 30; done
  alive $CONTROLLER && kill "$(pid_of $CONTROLLER)"
  end_node $CONTROLLER 10
}

# The tool wants the whole replica list, so the one that is there is asked for first; "any" leaves a replica where it is.
movedir() { # topic, partition, broker, bytes per second
  local replica other=d1 list dirs tools=org.apache.kafka.tools server=127.0.0.1:$((PORT + $3)) file
  replica=$DATA/n$3/d1/$1-$2
  [ -d "$replica" ] && other=d0
  # shellcheck disable=SC2086
  list=$(java $java_flags -Xmx128m -cp "$LIB/*" $tools.TopicCommand --bootstrap-server "$server" --describe --topic "$1" 2> /dev/null |
    sed -n "s/.*Partition: $2[^0-9].*Replicas: \([0-9,]*\).*/\1/p")
  dirs=$(echo "$list" | tr , '\n' | sed -e "s|^$3\$|\"$DATA/n$3/$other\"|" -e 's|^[0-9]*$|"any"|' | paste -sd,)
  file=$DATA/movedir.json
  echo "{\"version\":1,\"partitions\":[{\"topic\":\"$1\",\"partition\":$2,\"replicas\":[$list],\"log_dirs\":[$dirs]}]}" > "$file"
  # shellcheck disable=SC2086
  java $java_flags -Xmx128m -cp "$LIB/*" $tools.reassign.ReassignPartitionsCommand --bootstrap-server "$server" \
    --reassignment-json-file "$file" --execute --replica-alter-log-dirs-throttle "$4"
}

status() {
  for node in $(all_nodes); do
    if alive "$node"; then
      awk -v node="$node" -v pid="$(pid_of "$node")" '/VmRSS/ {print "node", node, "pid", pid, "resident_MB", int($2 / 1024)}' \
        "/proc/$(pid_of "$node")/status"
    else
      echo "node $node down"
    fi
  done
}

case "${1:-}" in
  fetch) fetch ;;
  up)
    fetch && format || exit 1
    watch_owner
    for node in $(all_nodes); do startnode "$node"; done
    wait_until_started
    ;;
  startnode) startnode "$2" ;;
  kill) kill -9 "$(pid_of "$2")" ;;
  term) kill "$(pid_of "$2")" ;;
  movedir) movedir "$2" "$3" "$4" "$5" ;;
  status) status ;;
  stop) stop ;;
  clean) kill_all; rm -rf "$DATA" ;;
  watch) watch ;;
  *) sed -n '2,22s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
