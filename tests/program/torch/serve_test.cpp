// `alambic serve` as a process, with a model.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

#include <chrono>
#include <thread>

#include "tests/program/torch/tiny_llama.h"
#include "tests/serve/http_client.h"

namespace alambic::serve_test {
namespace {

using Json = nlohmann::json;

// The server, until it is stopped.
class ServerProcess {
 public:
  ServerProcess(const std::vector<std::string>& options, const fs::path& log) : log_(log) {
    write_file(log_, "");  // read below, perhaps before the process has opened it
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int file = ::open(log.c_str(), O_WRONLY);
      ::dup2(file, STDERR_FILENO);
      std::vector<const char*> words = {"alambic", "serve", "--port", "0", "--threads", "1"};
      for (const std::string& option : options) words.push_back(option.c_str());
      words.push_back(nullptr);
      ::execv(kProgram.c_str(), const_cast<char**>(words.data()));
      ::_exit(127);
    }
    for (int i = 0; i < 600 && port_ == 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      const std::string text = read_file(log_);
      const size_t at = text.find("http://127.0.0.1:");
      if (at != text.npos && text.find(" answers") != text.npos)
        port_ = std::stoll(text.substr(at + 17));
    }
    EXPECT_GT(port_, 0) << read_file(log_);
  }
  ~ServerProcess() {
    if (pid_ > 0) stop();
  }

  /// Exit code after SIGTERM.
  int stop() {
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  Json post(const std::string& path, const Json& body) const {
    const HttpResult result = http(port_, "POST", path, body.dump());
    EXPECT_EQ(result.status, 200) << result.body;
    return Json::parse(result.body, nullptr, false);
  }
  int64_t port() const { return port_; }

 private:
  fs::path log_;
  pid_t pid_ = -1;
  int64_t port_ = 0;
};

struct Serve : testing::Test {
  static inline fs::path folder, model, teacher;

  static void SetUpTestSuite() {
    folder = fs::path(testing::TempDir()) / "serve";
    fs::remove_all(folder);
    fs::create_directories(folder);
    model = folder / "student";
    teacher = folder / "teacher";
    init_tiny_llama(model, "1");
    init_tiny_llama(teacher, "2");
  }
};

const std::string prompt = "Tom has 3 apples.";

Json completion_request(int64_t seed) {
  return {{"prompt", prompt}, {"max_tokens", 12}, {"seed", seed},
          {"n", 2},           {"logprobs", 3},    {"return_token_ids", true}};
}

// Prevents: answers that are not what the engine writes; draws that depend on who else asks.
TEST_F(Serve, AnswersAreWhatGenerateWritesAloneAndInCompany) {
  ServerProcess server({"--model", model, "--batch", "5"}, folder / "log");
  const Outcome written = alambic("generate --model " + model.string() + " --prompt '" + prompt +
                                  "' --max-new-tokens 12 --num-generations 2 --seed 3 --json "
                                  "--threads 1 2>/dev/null");
  std::istringstream lines(written.text);
  const Json alone = server.post("/v1/completions", completion_request(3));
  for (size_t i = 0; i < 2; ++i) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << written.text;
    EXPECT_EQ(alone["choices"][i]["token_ids"], Json::parse(line)["tokens"]);
  }
  std::vector<std::thread> clients;
  std::vector<Json> answers(12);
  for (size_t i = 0; i < answers.size(); ++i) {
    clients.emplace_back([&, i] {
      answers[i] = server.post("/v1/completions", completion_request(static_cast<int64_t>(i)));
    });
  }
  for (std::thread& client : clients) client.join();
  for (size_t i = 0; i < answers.size(); ++i) {
    const Json single = server.post("/v1/completions", completion_request(static_cast<int64_t>(i)));
    for (size_t choice = 0; choice < 2; ++choice) {
      EXPECT_EQ(answers[i]["choices"][choice]["token_ids"], single["choices"][choice]["token_ids"]);
    }
  }
  EXPECT_EQ(server.stop(), 0);
}

// Prevents: grades that are not the log-probabilities with which the tokens were drawn.
TEST_F(Serve, GradesAreTheLogProbabilitiesOfTheDraws) {
  ServerProcess server({"--model", model, "--model", "judge=" + teacher.string()}, folder / "log2");
  Json request = completion_request(1);
  request["n"] = 1;
  const Json drawn = server.post("/v1/completions", request)["choices"][0];
  Json ids = drawn["prompt_token_ids"];
  const auto first = ids.size();
  ids.insert(ids.end(), drawn["token_ids"].begin(), drawn["token_ids"].end());
  const Json echo = server.post(
      "/v1/completions", {{"prompt", ids}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 3}});
  const Json trl = server.post(
      "/v1/completions",
      {{"prompt", {ids}}, {"max_tokens", 1}, {"prompt_logprobs", 2}, {"temperature", 1}});
  const HttpResult graded =
      http(server.port(), "POST", "/v1/grade",
           Json({{"sequences", {ids}}, {"from", {first}}, {"topk", 3}}).dump(),
           "Accept: application/json\r\n");
  const Json grades = Json::parse(graded.body);
  const Json& drawn_logp = drawn["logprobs"]["token_logprobs"];
  ASSERT_EQ(grades["logp"].size(), drawn_logp.size());
  for (size_t i = 0; i < drawn_logp.size(); ++i) {
    const double logp = drawn_logp[i];
    EXPECT_NEAR(grades["logp"][i], logp, 1e-5);
    EXPECT_NEAR(echo["choices"][0]["logprobs"]["token_logprobs"][first + i], logp, 1e-5);
    const Json& row = trl["choices"][0]["prompt_logprobs"][first + i];
    EXPECT_NEAR(row[std::to_string(ids[first + i].get<int>())]["logprob"], logp, 1e-5);
    EXPECT_GE(row.size(), 2u);
  }
  const Json other = server.post(
      "/v1/completions",
      {{"model", "judge"}, {"prompt", ids}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 0}});
  EXPECT_NE(other["choices"][0]["logprobs"]["token_logprobs"][first], drawn_logp[0]);
}

// Prevents: an adapter that is served under its name and not applied, or applied to its base too.
TEST_F(Serve, AnAdapterAnswersUnderItsNameAsGenerateWithItDoes) {
  std::string rows;
  for (int i = 0; i < 4; ++i) rows += "{\"prompt\": \"Tom\", \"completion\": \" zzz 9 9 9\"}\n";
  write_file(folder / "rows.jsonl", rows);
  const Outcome trained =
      alambic("train --model " + model.string() + " --data " + (folder / "rows.jsonl").string() +
              " --out " + (folder / "tuned").string() +
              " --lora-rank 4 --max-steps 8 --batch-size 4 --learning-rate 0.3 --device cpu"
              " --threads 1 --overwrite");
  ASSERT_EQ(trained.code, 0) << trained.text;
  const std::string adapter = (folder / "tuned/adapter").string();
  ServerProcess server({"--model", "base=" + model.string(), "--adapter", "tuned=" + adapter},
                       folder / "log3");
  const auto written = [&](const std::string& more) {
    return Json::parse(alambic("generate --model " + model.string() + more + " --prompt '" +
                               prompt +
                               "' --max-new-tokens 12 --seed 3 --json --threads 1 2>/dev/null")
                           .text)["tokens"];
  };
  const auto served = [&](const std::string& name) {
    Json request = completion_request(3);
    request["n"] = 1;
    request["model"] = name;
    return server.post("/v1/completions", request)["choices"][0]["token_ids"];
  };
  const Json base = written(""), tuned = written(" --adapter " + adapter);
  EXPECT_NE(base, tuned);
  EXPECT_EQ(served("tuned"), tuned);
  EXPECT_EQ(served("base"), base);
  EXPECT_EQ(http(server.port(), "GET", "/v1/models").body.find("\"tuned\"") == std::string::npos,
            false);
  EXPECT_EQ(server.stop(), 0);
}

TEST_F(Serve, RefusesBeforeItListens) {
  const std::string serve = "serve --model " + model.string();
  const Outcome open = alambic(serve + " --host 0.0.0.0");
  EXPECT_EQ(open.code, 2);
  EXPECT_NE(open.text.find("--key-env"), open.text.npos) << open.text;
  EXPECT_EQ(alambic(serve + " --key-env NO_SUCH_VARIABLE").code, 2);
  EXPECT_EQ(alambic(serve + " --host nowhere --key-env HOME").code, 2);
  EXPECT_EQ(alambic(serve + " --model " + model.string()).code, 2);  // two of one name
  EXPECT_EQ(alambic("serve --model " + (folder / "missing").string()).code, 2);
}

// Prevents: a server that only clients of ours can talk to.
TEST_F(Serve, AnswersCurl) {
  if (shell("curl --version").code != 0) GTEST_SKIP() << "curl is not installed";
  ServerProcess server({"--model", model}, folder / "log-curl");
  const Json ask = {{"prompt", prompt}, {"max_tokens", 8}, {"seed", 1}};
  const auto curl = [&](Json body, const std::string& words) {
    write_file(folder / "body.json", body.dump());
    return shell("curl -sS --max-time 60 " + words + " -H 'Content-Type: application/json' -d @" +
                 (folder / "body.json").string() +
                 " http://127.0.0.1:" + std::to_string(server.port()) + "/v1/completions");
  };
  const std::string text = Json::parse(curl(ask, "").text)["choices"][0]["text"];
  EXPECT_EQ(text, server.post("/v1/completions", ask)["choices"][0]["text"]);
  Json streamed = ask;
  streamed["stream"] = true;
  std::istringstream lines(curl(streamed, "-N").text);
  std::string whole, last;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("data: ")) continue;
    last = line.substr(6);
    if (last != "[DONE]") whole += Json::parse(last)["choices"][0]["text"].get<std::string>();
  }
  EXPECT_EQ(last, "[DONE]");
  EXPECT_EQ(whole, text);
  // It asks before it sends much.
  Json large = ask;
  large["user"] = std::string(1 << 20, 'x');
  EXPECT_EQ(Json::parse(curl(large, "-H 'Expect: 100-continue'").text)["choices"][0]["text"], text);
  Json wrong = ask;
  wrong["temperature"] = -1;
  EXPECT_EQ(curl(wrong, "--fail").code, 22);
}

}  // namespace
}  // namespace alambic::serve_test
