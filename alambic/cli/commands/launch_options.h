#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

/// torchrun's options, under their names.
struct LaunchOptions : Options {
  std::string processes = "auto";
  int64_t nodes = 1, node_rank = 0;
  std::string host;
  int64_t port = 0;
  int64_t max_restarts = 0;
  std::vector<std::string> command;

  void visit(OptionVisitor& v) override {
    v.text("nproc-per-node", processes,
           "processes on this machine; auto: one for each NVIDIA GPU, one where there is none");
    v.integer("nnodes", nodes, "machines of the job; launch runs on each of them", {.min = 1});
    v.integer("node-rank", node_rank, "which of the machines this is, from 0", {.min = 0});
    v.text("master-addr", host, "name or address of machine 0, where the processes meet");
    v.integer("master-port", port, "port there; 0: a free one, or 29500 for several machines",
              {.min = 0, .max = 65535});
    v.integer("max-restarts", max_restarts,
              "how often all are started again, with --resume, after one of them failed",
              {.min = 0});
    v.list("command", command,
           "the command of the processes and its options, word by word; all that stands after the "
           "name of a command");
  }
};

}  // namespace alambic
