#pragma once

#include "alambic/provenance/policy/policy_options.h"
#include "alambic/tensor/machine_options.h"
#include "alambic/text/chat/chat_options.h"

namespace alambic {

struct ServeOptions : Options {
  std::vector<std::string> models, adapters;
  std::string host = "127.0.0.1", key_env, run;
  int64_t port = 8000;
  int64_t batch = 64, max_length = 0;
  int64_t max_waiting = 1024, max_waiting_tokens = 1 << 20;
  int64_t max_body_bytes = 32 << 20;
  int64_t drain_seconds = 30;
  ChatOptions chat_template;
  MachineOptions machine;
  PolicyOptions policy;

  void visit(OptionVisitor& v) override {
    v.group("Models");
    v.list("model", models,
           "model folder to serve under its folder's name, or as NAME=FOLDER; may be given several "
           "times, the first answers requests that name none")
        .required()
        .model();
    v.list("adapter", adapters,
           "NAME=FOLDER: a LoRA adapter for the first model, served with it as a model of its own")
        .path();
    chat_template.visit(v);
    v.group("Address");
    v.text("host", host, "address to listen on; 0.0.0.0: all of this machine's, which needs a key");
    v.integer("port", port, "port to listen on; 0: any that is free", {.min = 0, .max = 65535});
    v.text("key-env", key_env,
           "environment variable with the key that clients must send as their API key");
    v.group("Limits");
    v.integer("batch", batch, "sequences written side by side, of each model", {.min = 1});
    v.integer("max-length", max_length,
              "most tokens of a sequence, prompt included; 0: the model's context", {.min = 0});
    v.integer("max-waiting", max_waiting, "sequences that may wait; more are refused with 503",
              {.min = 1});
    v.integer("max-waiting-tokens", max_waiting_tokens,
              "tokens of theirs, with those that they may write", {.min = 1});
    v.integer("max-body-bytes", max_body_bytes, "longest body of a request", {.min = 1});
    v.integer("drain-seconds", drain_seconds,
              "how long answers that are being written may take after SIGTERM", {.min = 0});
    v.group("Web page");
    v.text("run", run, "folder of a training run to watch on the page").path();
    machine.visit(v);
    policy.visit(v);
  }
};

}  // namespace alambic
