// Jobs of two machines, for which two network namespaces stand.
#include <cstdlib>

#include "tests/program/torch/ranks_fixture.h"

namespace alambic::nodes_test {
namespace {

struct NodesSlow : Ranks {
  void SetUp() override {
    if (std::system(
            "unshare -n true 2>/dev/null && ip -V >/dev/null 2>&1 && nsenter -V >/dev/null") != 0) {
      GTEST_SKIP() << "namespaces need root, unshare, nsenter and iproute2";
    }
    Ranks::SetUp();
  }

  // Runs the command on both nodes; the exit code of each stands behind "codes".
  Outcome on_two(const std::string& command) const {
    const std::string node = "GLOO_SOCKET_IFNAME=eth0 " + kProgram +
                             " launch --nnodes 2 --nproc-per-node 1 --master-addr 10.77.0.1 "
                             "--master-port 29701 --node-rank ";
    return shell(
        "unshare -n sleep 100 & a=$!; unshare -n sleep 100 & b=$!\n"
        "trap 'kill $a $b 2>/dev/null' EXIT\n"
        "in_a() { nsenter -t $a -n \"$@\"; }; in_b() { nsenter -t $b -n \"$@\"; }\n"
        "until in_a ip link add eth0 type veth peer name eth0 netns $b 2>/dev/null; do sleep 0.05; "
        "done\n"
        "in_a ip addr add 10.77.0.1/24 dev eth0; in_b ip addr add 10.77.0.2/24 dev eth0\n"
        "for dev in lo eth0; do in_a ip link set $dev up; in_b ip link set $dev up; done\n"
        "(in_a sh -c '" +
        node + "0 " + command +
        "') & first=$!\n"
        "(in_b sh -c '" +
        node + "1 " + command +
        "') & second=$!\n"
        "wait $first; one=$?; wait $second; echo codes $one $?");
  }
};

// Prevents ranks that meet only over loopback.
TEST_F(NodesSlow, DistillLikeOneMachine) {
  ASSERT_EQ(alambic(distill("alone", "")).code, 0);
  const Outcome outcome =
      on_two(distill("nodes", "--zero-stage 3 --teacher-weights sharded --shard-size 2"));
  EXPECT_NE(outcome.text.find("codes 0 0"), std::string::npos) << outcome.text;
  EXPECT_LT(difference("alone", "nodes"), rounding);
}

}  // namespace
}  // namespace alambic::nodes_test
