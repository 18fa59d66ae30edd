// Distilling from a teacher behind an address.
#include <algorithm>
#include <mutex>
#include <set>

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

namespace alambic::remote_teacher_test {
namespace {

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

// Bug: a teacher far away teaches something else than the same one here.
TEST_F(RemoteTeacherTest, TeachesWhatTheSameTeacherHereDoes) {
  serve();
  DistillOptions local = distillation("local");
  local.loss.kd_topk = 8;
  jobs::distill(local);
  EXPECT_EQ(jobs::distill(remote("far")).ending, RunEnding::finished);
  expect_same_figures("local", "far", "topk_reverse_kl");
  // One number a token.
  local = distillation("local-sampled");
  local.loss.objective = "sampled_reverse_kl";
  jobs::distill(local);
  jobs::distill(remote("far-sampled", "sampled_reverse_kl"));
  expect_same_figures("local-sampled", "far-sampled", "sampled_reverse_kl");
}

// Bug: a server of ours, whose hidden states say all, is asked for a few tokens.
TEST_F(RemoteTeacherTest, HiddenStatesTeachTheSameBytesAtAnyTemperature) {
  serve();
  served->ours = true;
  const std::pair<const char*, std::function<void(DistillOptions&)>> cases[] = {
      {"exact", [](DistillOptions&) {}},
      {"softened",
       [](DistillOptions& o) {
         o.loss.objective = "jsd";
         o.loss.kd_temperature = 2;
       }},
      {"by-student", [](DistillOptions& o) {
         o.loss.kd_topk = 8;
         o.loss.kd_topk_by = TopKBy::both;
       }}};
  for (const auto& [name, change] : cases) {
    DistillOptions local = distillation(std::string("local-") + name);
    // As the server computes: one sequence a pass.
    local.training.micro_batch_size = 1;
    change(local);
    jobs::distill(local);
    DistillOptions far = remote(std::string("far-") + name);
    far.training.micro_batch_size = 1;
    far.loss.kd_topk = 0;
    change(far);
    jobs::distill(far);
    EXPECT_EQ(weights_of(std::string("far-") + name), weights_of(std::string("local-") + name))
        << name;
  }
  // The K most likely tokens where they suffice.
  jobs::distill(remote("far-topk"));
  EXPECT_EQ(server->requests().back().body.find("hidden"), std::string::npos);
}

// Bug: a step learns from half of its grades; what was paid for is asked again; a resumed run is
// another one.
TEST_F(RemoteTeacherTest, AServerThatGoesStopsTheRunWhereItWas) {
  serve();
  jobs::distill(remote("whole"));
  const std::vector<std::string> all = asked();
  std::atomic<int> left = 3 + 10;  // the probe's and those of two and a half steps
  serve([&](const ServedRequest& request) {
    if (!request.body.empty() && left-- <= 0) return ServedReply{.status = 401};
    return (*served)(request);
  });
  DistillOptions options = remote("broken");
  EXPECT_THROW(jobs::distill(options), Error);
  left = 1000;
  options.run.resume = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
  EXPECT_EQ(weights_of("broken"), weights_of("whole"));
  // All but the probes' (three requests each, and one that is refused).
  std::map<std::string, int> times;
  for (const std::string& body : asked()) ++times[body];
  int again = 0;
  for (const auto& [body, count] : times) again += count > 1;
  EXPECT_LE(again, 2 + 2) << "the probe's two texts, and what was refused";
}

TEST_F(RemoteTeacherTest, ABudgetStopsBeforeItIsSpentAndSaves) {
  serve();
  DistillOptions options = remote("broke");
  options.teachers.remote.budget_tokens = 160;
  const RunResult result = jobs::distill(options);
  EXPECT_EQ(result.ending, RunEnding::stopped);
  EXPECT_TRUE(fs::exists(folder / "broke/checkpoints") || result.steps == 0);
  options.teachers.remote.budget_tokens = 0;
  options.run.resume = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
  jobs::distill(remote("whole"));
  EXPECT_EQ(weights_of("broke"), weights_of("whole"));
}

// Bug: a run goes on with another teacher because the address is the same.
TEST_F(RemoteTeacherTest, KnowsItsServerAgain) {
  serve();
  DistillOptions options = remote("run");
  options.teachers.remote.budget_tokens = 160;
  ASSERT_EQ(jobs::distill(options).ending, RunEnding::stopped);
  options.teachers.remote.budget_tokens = 0;
  options.run.resume = true;
  served = std::make_unique<ServedModel>(at("student"));
  const auto refusal = [&] {
    try {
      jobs::distill(options);
    } catch (const Error& error) {
      return error.what() + error.hint();
    }
    return std::string("none");
  };
  EXPECT_NE(refusal().find("other weights"), std::string::npos) << refusal();
  EXPECT_NE(refusal().find("--allow-change"), std::string::npos);
  served = std::make_unique<ServedModel>(at("teacher"));
  served->name = "renamed";
  EXPECT_NE(refusal().find("model renamed (served before)"), std::string::npos) << refusal();
  served->name = "served";
  served->version = "9.9";
  options.teachers.remote.strict = true;
  EXPECT_NE(refusal().find("version 9.9"), std::string::npos) << refusal();
  options.teachers.remote.strict = false;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
  const auto record = nlohmann::json::parse(read_file(folder / "run/provenance/record.json"));
  EXPECT_EQ(record["teachers"][0]["server"]["model"], "served");
  EXPECT_EQ(record["teachers"][0]["server"]["version"], "9.9");
  // Said to be meant.
  served->name = "renamed";
  options.training.max_steps = 5;
  options.run.allow_change = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
}

// Bug: nobody knows what a run will cost before it has; a dead server's check is to be resumed.
TEST_F(RemoteTeacherTest, IsCheckedAndWritesNothing) {
  serve();
  DistillOptions options = remote("run");
  options.teachers.remote.price = "1,10";
  options.teachers.remote.local = at("teacher");
  const Findings findings = jobs::check(options);
  EXPECT_NE(verdict(findings), Level::refused) << table(findings);
  EXPECT_FALSE(fs::exists(folder / "run"));
  // 4 steps of 4 completions of 6 tokens behind prompts of 4 or so.
  EXPECT_NE(table(findings).find("cost "), std::string::npos) << table(findings);
  EXPECT_NE(table(findings).find("write 16, for 0.000"), std::string::npos) << table(findings);
  options.teachers.remote.budget_tokens = 100;
  try {
    jobs::check(options);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint().find("--resume"), std::string::npos) << error.hint();
  }
  options.teachers.remote.budget_tokens = 0;
  options.teachers.remote.local = at("student");
  try {
    jobs::check(options);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("is not the model of"), std::string::npos);
  }
}

// Bug: the key of a server in the run's folder.
TEST_F(RemoteTeacherTest, TheKeyIsInNoFileAndTheAddressInTheRecord) {
  constexpr const char* canary = "sk-canary-of-a-run";
  serve();
  write_file(folder / "key", canary);
  fs::permissions(folder / "key", fs::perms::owner_read | fs::perms::owner_write);
  DistillOptions options = remote("run");
  options.teachers.remote.key_file = at("key");
  jobs::distill(options);
  EXPECT_NE(server->requests().back().head.find(canary), std::string::npos);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "run")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(read_file(entry.path()).find(canary), std::string::npos) << entry.path();
  }
  EXPECT_GT(files, 8);
  const auto record = nlohmann::json::parse(read_file(folder / "run/provenance/record.json"));
  EXPECT_EQ(record["teachers"][0]["name"], server->address());
  EXPECT_EQ(record["teachers"][0]["spent"]["replies"], 16);
  EXPECT_EQ(record["counters"]["teacher_calls"], 16);
  EXPECT_EQ(record["teachers"][0]["host"], "127.0.0.1");
}

// Bug: what a judge costs is in no record and under no budget.
TEST_F(RemoteTeacherTest, AJudgeIsPaidForFromItsBudget) {
  LoopbackServer judge([](const ServedRequest&) {
    const nlohmann::json choice = {{"message", {{"content", "4"}}}};
    return ServedReply{
        .body = nlohmann::json{{"choices", {choice}},
                               {"usage", {{"prompt_tokens", 230}, {"completion_tokens", 1}}}}
                    .dump()};
  });
  DistillOptions options = distillation("run");
  options.teachers.teacher = {};
  options.loss.objective = "grpo";
  options.num_generations = 2;
  options.reward.judge = judge.address() + "#judge";
  options.reward.judge_budget_tokens = 1200;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::stopped);
  auto record = nlohmann::json::parse(read_file(folder / "run/provenance/record.json"));
  const int64_t replies = record["scores"][0]["spent"]["replies"];
  EXPECT_GT(replies, 0);
  EXPECT_EQ(record["scores"][0]["spent"]["input_tokens"], 230 * replies);
  // What the first part has spent counts for the second.
  options.run.resume = true;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::stopped);
  EXPECT_EQ(std::ssize(judge.requests()), replies);
  options.reward.judge_budget_tokens = 0;
  EXPECT_EQ(jobs::distill(options).ending, RunEnding::finished);
}

// A student with a tokenizer of its own: one number a span is what every server gives, and a server
// of ours gives distributions over pieces too.
struct RemoteSpans : RemoteTeacherTest {
  void SetUp() override {
    RemoteTeacherTest::SetUp();
    const Tokenizer own =
        Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers/gpt2");
    save_model(*random_model(small_llama_config(own.size()), 4), folder / "other",
               Json{{"eos_token_id", own.id_of("<|end|>").value()}});
    own.save_to(folder / "other");
    serve();
  }
  DistillOptions aligned(const std::string& out, CrossTokenizer by, bool far) const {
    DistillOptions options = distillation(out);
    options.student = at("other");
    options.teachers.cross_tokenizer = by;
    options.training.micro_batch_size = 1;  // as the server computes
    if (!far) return options;
    options.teachers.teacher = {server->address() + "/v1"};
    options.teachers.remote.tokenizer = at("teacher");
    return options;
  }
};

// Bug: a span that another machine grades is another number.
TEST_F(RemoteSpans, AreThoseOfTheSameTeacherHere) {
  for (const double lmbda : {1.0, 0.0}) {
    const std::string suffix = lmbda > 0 ? "-own" : "-given";
    for (const bool far : {false, true}) {
      DistillOptions options = aligned((far ? "far" : "here") + suffix, CrossTokenizer::span, far);
      options.lmbda = lmbda;
      jobs::distill(options);
    }
    expect_same_figures("here" + suffix, "far" + suffix, "span_reverse_kl");
  }
  for (const std::string& body : asked()) {
    EXPECT_EQ(body.find("\"prompt_logprobs\":8"), std::string::npos) << "one number a token";
  }
}

TEST_F(RemoteSpans, PiecesComeFromTheHiddenStatesOfAServerOfOurs) {
  served->ours = true;
  for (const bool far : {false, true}) {
    jobs::distill(aligned(far ? "far" : "here", CrossTokenizer::pieces, far));
  }
  EXPECT_EQ(weights_of("far"), weights_of("here"));
  // One number a span is enough for spans.
  jobs::distill(aligned("spans", CrossTokenizer::span, true));
  EXPECT_EQ(server->requests().back().body.find("hidden"), std::string::npos);
}

TEST_F(RemoteSpans, WhatTheyLackIsRefusedByName) {
  const std::pair<const char*, std::function<void(DistillOptions&)>> cases[] = {
      {"--teacher-tokenizer", [](DistillOptions& o) { o.teachers.remote.tokenizer = ""; }},
      {"pieces compares distributions",
       [](DistillOptions& o) { o.teachers.cross_tokenizer = CrossTokenizer::pieces; }},
      {"--cross-tokenizer span",
       [](DistillOptions& o) { o.teachers.cross_tokenizer = CrossTokenizer::none; }},
      {"--temperature", [](DistillOptions& o) { o.sampling.temperature = 0.7; }}};
  for (const auto& [name, change] : cases) {
    DistillOptions options = aligned("run", CrossTokenizer::span, true);
    change(options);
    try {
      jobs::distill(options);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_NE((error.what() + error.hint()).find(name), std::string::npos) << error.what();
    }
  }
  const Findings findings = jobs::check(aligned("run", CrossTokenizer::span, true));
  EXPECT_NE(verdict(findings), Level::refused) << table(findings);
  EXPECT_NE(table(findings).find("one number a span"), std::string::npos) << table(findings);
}

TEST_F(RemoteTeacherTest, WhatItCannotDoIsRefusedByName) {
  serve();
  const std::pair<const char*, std::function<void(DistillOptions&)>> cases[] = {
      {"--kd-topk", [](DistillOptions& o) { o.loss.kd_topk = 0; }},
      {"--kd-topk-by", [](DistillOptions& o) { o.loss.kd_topk_by = TopKBy::both; }},
      {"--kd-temperature", [](DistillOptions& o) { o.loss.kd_temperature = 2; }},
      {"--hidden-weight", [](DistillOptions& o) { o.loss.hidden_weight = 1; }},
      {"--teacher-cache",
       [&](DistillOptions& o) {
         o.teachers.cache = at("cache");
         o.lmbda = 0;
       }},
      {"--temperature",
       [](DistillOptions& o) {
         o.loss.objective = "sampled_reverse_kl";
         o.loss.kd_topk = 0;
         o.sampling.temperature = 0.7;
       }},
      {"--cross-tokenizer span",
       [](DistillOptions& o) {
         o.teachers.remote.tokenizer =
             (fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers/gpt2").string();
       }},
      {"--teacher-price", [](DistillOptions& o) { o.teachers.remote.price = "1"; }}};
  for (const auto& [name, change] : cases) {
    DistillOptions options = remote("run");
    change(options);
    try {
      jobs::distill(options);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_NE((error.what() + error.hint()).find(name), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(folder / "run"));
  }
}

}  // namespace
}  // namespace alambic::remote_teacher_test
