// A run with a teacher of ours behind an address.
#pragma once

#include <algorithm>
#include <mutex>

#include "alambic/base/sha256.h"
#include "alambic/flow/packed.h"
#include "alambic/io/safetensors.h"
#include "alambic/jobs/check.h"
#include "alambic/jobs/distill.h"
#include "alambic/model/pretrained.h"
#include "alambic/nn/head_logits.h"
#include "alambic/nn/pass.h"
#include "alambic/tensor/view.h"
#include "tests/jobs/run_fixture.h"
#include "tests/loopback_server.h"

namespace alambic {

/// A model of ours behind vLLM's route, or behind those of `alambic serve`.
struct ServedModel {
  Pretrained loaded;
  bool ours = false;
  std::string name = "served", version;
  std::mutex mutex;

  explicit ServedModel(const std::string& folder) : loaded(from_pretrained(folder, {})) {}

  Tensor logp_TV(const std::vector<int32_t>& tokens) {
    const std::lock_guard lock(mutex);
    const at::NoGradGuard no_grad;
    const Packed packed = pack({{tokens}}, at::kCPU);
    const Head head = wide_head(loaded.model->head().cut(loaded.vocabulary));
    return head_logits(head, loaded.model->hidden(Pass(packed)).to(at::kFloat)).log_softmax(1);
  }

  static std::string file_of(std::vector<std::pair<std::string, Tensor>> tensors,
                             const std::map<std::string, std::string>& facts) {
    const TemporaryFolder folder;
    write_safetensors(folder.path() / "x", to_views(tensors), facts);
    return read_file(folder.path() / "x");
  }
  std::string head() const {
    const Head head = loaded.model->head().cut(loaded.vocabulary);
    return file_of({{"weight", head.weight_VD.decoded()}}, {{"scale", "1"}, {"softcap", "0"}});
  }

  // As /v1/grade answers: hidden states, or the K most likely tokens.
  ServedReply grade(const nlohmann::json& json) {
    std::vector<Tensor> hidden, logp, topk, token;
    std::vector<int64_t> offsets = {0};
    const int64_t k = json.value("topk", 0);
    for (size_t s = 0; s < json["sequences"].size(); ++s) {
      const std::vector<int32_t> tokens = json["sequences"][s];
      const int64_t from = json["from"][s], rows = std::ssize(tokens) - from;
      offsets.push_back(offsets.back() + rows);
      if (json.contains("hidden")) {
        const std::lock_guard lock(mutex);
        const at::NoGradGuard no_grad;
        const Packed packed = pack({{tokens}}, at::kCPU);
        hidden.push_back(loaded.model->hidden(Pass(packed)).narrow(0, from - 1, rows));
        continue;
      }
      const Tensor all_RV = logp_TV(tokens).narrow(0, from - 1, rows);
      const std::vector<int64_t> chosen(tokens.begin() + from, tokens.end());
      logp.push_back(all_RV.gather(1, at::tensor(chosen, at::kLong).unsqueeze(1)).squeeze(1));
      const auto [best, ids] = all_RV.topk(k);
      topk.push_back(best);
      token.push_back(ids.to(at::kInt));
    }
    if (!hidden.empty()) {
      return {.body = file_of({{"hidden", at::cat(hidden)}}, {{"head", sha256(head())}})};
    }
    return {.body = file_of({{"logp", at::cat(logp)},
                             {"topk_logp", at::cat(topk)},
                             {"token", at::cat(token)},
                             {"offsets", at::tensor(offsets, at::kLong)}},
                            {})};
  }

  ServedReply operator()(const ServedRequest& request) {
    if (request.path == "/v1/models") {
      const char* owner = ours ? "alambic" : "vllm";
      const nlohmann::json model = {{"id", name}, {"owned_by", owner}, {"max_model_len", 64}};
      return {.body = nlohmann::json{{"data", {model}}}.dump()};
    }
    if (request.path == "/version") {
      return {.body = nlohmann::json{{"version", version}}.dump()};
    }
    if (request.path.starts_with("/v1/head")) return {.body = head()};
    if (request.path == "/v1/grade") return grade(nlohmann::json::parse(request.body));
    const auto json = nlohmann::json::parse(request.body);
    const std::vector<int32_t> tokens = json["prompt"][0];
    const int64_t k = json["prompt_logprobs"];
    const Tensor all_TV = logp_TV(tokens);
    nlohmann::json rows = {nullptr};
    for (size_t place = 1; place < tokens.size(); ++place) {
      const Tensor row_V = all_TV[static_cast<int64_t>(place) - 1].contiguous();
      const auto* logp = row_V.const_data_ptr<float>();
      nlohmann::json row = nlohmann::json::object();
      row[std::to_string(tokens[place])] = {{"logprob", logp[tokens[place]]}};
      if (k > 0) {
        const Tensor best_K = std::get<1>(row_V.topk(k)).contiguous();
        for (int64_t i = 0; i < k; ++i) {
          const int64_t id = best_K.const_data_ptr<int64_t>()[i];
          row[std::to_string(id)] = {{"logprob", logp[id]}};
        }
      }
      rows.push_back(row);
    }
    return {.body =
                nlohmann::json{{"choices", {{{"index", 0}, {"prompt_logprobs", rows}}}}}.dump()};
  }
};

struct RemoteTeacherTest : RunFixture {
  std::unique_ptr<ServedModel> served;
  std::unique_ptr<LoopbackServer> server;

  void serve(LoopbackServer::Handler handler = {}) {
    served = std::make_unique<ServedModel>(at("teacher"));
    if (!handler) handler = [this](const ServedRequest& request) { return (*served)(request); };
    server = std::make_unique<LoopbackServer>(std::move(handler));
  }
  DistillOptions remote(const std::string& out, const std::string& objective = "reverse_kl") const {
    DistillOptions options = distillation(out);
    options.teachers.teacher = {server->address() + "/v1"};
    options.loss.objective = objective;
    options.loss.kd_topk = objective == "reverse_kl" ? 8 : 0;
    return options;
  }
  std::string weights_of(const std::string& out) const {
    return read_file(folder / out / "model/model.safetensors");
  }
  /// Requests for grades but those of probes, whose prompts are the same each time.
  std::vector<std::string> asked() const {
    std::map<std::string, int> count;
    std::vector<std::string> all;
    for (const ServedRequest& request : server->requests()) {
      if (!request.body.empty()) all.push_back(request.body);
    }
    return all;
  }
  void expect_same_figures(const std::string& a, const std::string& b, const char* name) const {
    const auto one = metrics_of(a), other = metrics_of(b);
    ASSERT_EQ(one.size(), other.size());
    for (size_t i = 0; i < one.size(); ++i) {
      EXPECT_NEAR(one[i][name].get<double>(), other[i][name].get<double>(), 1e-5) << i;
      EXPECT_NEAR(one[i]["loss"].get<double>(), other[i]["loss"].get<double>(), 1e-4) << i;
    }
  }
};

}  // namespace alambic
