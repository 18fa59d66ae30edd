// A server around an engine without a model: what it writes is a function of seed, choice and
// position, as the real engine's draws are.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "alambic/serve/listener.h"
#include "alambic/serve/server.h"
#include "alambic/text/tokenizer/bpe_trainer.h"
#include "tests/serve/http_client.h"

namespace alambic {

using Json = nlohmann::ordered_json;

/// 256 bytes and "</s>": text of n bytes has n tokens.
inline const Tokenizer& byte_tokenizer() {
  static const Tokenizer tokenizer =
      Tokenizer::parse("bytes", BpeTrainer({.vocabulary = 257, .special = {"</s>"}}).train());
  return tokenizer;
}

inline const ChatTemplate& plain_template() {
  static const ChatTemplate made = ChatTemplate::parse(
      "plain",
      "{% if tools %}[{{ tools[0].function.name }}]{% endif %}"
      "{% if reasoning_effort %}{{ reasoning_effort }} {% endif %}{% for m in messages %}"
      "{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: "
      "{% endif %}");
  return made;
}

/// A template whose model calls tools as Qwen's do.
inline const ChatTemplate& tool_template() {
  static const ChatTemplate made =
      ChatTemplate::parse("tools", "{{ tools }}{{ messages[0].content }}{# <tool_call> #}");
  return made;
}

inline ServedModel fake_model(const std::string& name) {
  static const std::string head = "head bytes", digest = "head digest";
  return {.name = name,
          .tokenizer = &byte_tokenizer(),
          .chat_template = &plain_template(),
          .context = 512,
          .vocabulary = byte_tokenizer().size(),
          .head = []() -> const std::string& { return head; },
          .head_digest = []() -> const std::string& { return digest; }};
}

/// The letter that the fake engine writes at a place.
inline char fake_letter(uint64_t seed, uint64_t choice, size_t position) {
  return static_cast<char>('a' + (seed * 7 + choice * 3 + position) % 26);
}

inline std::string fake_text(uint64_t seed, uint64_t choice, size_t begin, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += fake_letter(seed, choice, begin + i);
  return text;
}

/// Takes work as the real engine's loop does: a token for everybody, then a pause.
class FakeEngine {
 public:
  FakeEngine(WorkQueue& queue, ServerMetrics& metrics, size_t slots = 8)
      : queue_(queue), metrics_(metrics), slots_(slots), thread_([this] { run(); }) {}
  ~FakeEngine() {
    stop_ = true;
    thread_.join();
    for (const auto& job : running_) job->end(JobEnd::failed, "the server stopped");
  }

  std::atomic<int64_t> pause_ms = 0;
  std::atomic<int64_t> running = 0, cancelled = 0;
  std::atomic<bool> fails = false;  ///< sequences fail at their second token
  std::string script;               ///< what it writes in place of letters, then it stops

 private:
  void run() {
    while (!stop_) {
      for (size_t model = 0; model < 2; ++model) {
        for (auto& job : queue_.take_sequences(model, free_slots())) {
          running_.push_back(job);
          written_.push_back(0);
        }
        if (const auto grade = queue_.take_grade(model)) grade->end(grades_of(*grade));
      }
      step();
      running = std::ssize(running_);
      if (running_.empty()) {
        queue_.wait(std::chrono::milliseconds(5));
      } else if (pause_ms > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
      }
    }
  }

  int64_t free_slots() const { return static_cast<int64_t>(slots_ - running_.size()); }

  void step() {
    for (size_t i = 0; i < running_.size();) {
      if (write(*running_[i], written_[i])) {
        ++i;
        continue;
      }
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      written_.erase(written_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  bool write(SequenceJob& job, int64_t& written) {
    if (job.cancelled()) {
      ++cancelled;
      job.end(JobEnd::failed, "cancelled");
      return false;
    }
    if (fails && written == 1) {
      job.end(JobEnd::failed, "the fake engine fails");
      return false;
    }
    const auto position = job.prompt.size() + static_cast<size_t>(written);
    if (!script.empty() && static_cast<size_t>(written) == script.size()) {
      job.end(JobEnd::stop_token);
      return false;
    }
    const std::string letter(1, script.empty() ? fake_letter(job.draws.seed, job.choice, position)
                                               : script[static_cast<size_t>(written)]);
    WrittenToken token{.id = byte_tokenizer().encode(letter, false).front(), .logp = -0.5f};
    for (int64_t k = 0; k < job.alternatives; ++k) {
      token.alternatives.emplace_back(static_cast<int32_t>(k), -1.0f - static_cast<float>(k));
    }
    job.add(std::move(token));
    ++metrics_.generation_tokens;
    if (++written < job.max_tokens) return true;
    job.end(JobEnd::length);
    return false;
  }

  // −id/100 for every token.
  static Grades grades_of(const GradeJob& job) {
    Grades grades{.offsets = {0}, .k = job.hidden ? 0 : job.k};
    for (size_t s = 0; s < job.sequences.size(); ++s) {
      for (int64_t at = job.from[s]; at < std::ssize(job.sequences[s]); ++at) {
        const int32_t id = job.sequences[s][static_cast<size_t>(at)];
        grades.logp.push_back(static_cast<float>(-id) / 100);
        grades.rank.push_back(id + 1);
        for (int32_t k = 0; k < grades.k; ++k) {
          grades.topk_logp.push_back(static_cast<float>(-k) / 100);
          grades.topk_token.push_back(k);
        }
        if (job.hidden) grades.hidden += std::string(8, '\0');
      }
      grades.offsets.push_back(std::ssize(grades.logp));
    }
    grades.width = 2;
    grades.dtype = "F32";
    return grades;
  }

  WorkQueue& queue_;
  ServerMetrics& metrics_;
  size_t slots_;
  std::vector<std::shared_ptr<SequenceJob>> running_;
  std::vector<int64_t> written_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

struct ServeTest : testing::Test {
  QueueLimits limits = {.waiting = 64, .waiting_tokens = 20000};
  ServerOptions server_options;
  ListenerOptions listener_options = {.port = 0, .body_bytes = 1 << 20};

  void start() {
    queue = std::make_unique<WorkQueue>(limits);
    server = std::make_unique<Server>(server_options, models(), *queue, metrics);
    engine = std::make_unique<FakeEngine>(*queue, metrics);
    listener = std::make_unique<Listener>(listener_options, server->service());
    port = listener->port();
  }

  virtual std::vector<ServedModel> models() const {
    return {fake_model("student"), fake_model("teacher")};
  }
  HttpResult post(const std::string& path, const Json& body,
                  const std::string& headers = "") const {
    return http(port, "POST", path, body.dump(), headers);
  }
  Json posted(const std::string& path, const Json& body) const {
    const HttpResult result = post(path, body);
    EXPECT_EQ(result.status, 200) << result.body;
    EXPECT_TRUE(result.complete);
    return Json::parse(result.body, nullptr, false);
  }
  /// The error's message, after a look at its form.
  std::string error_of(const HttpResult& result, int status) const {
    EXPECT_EQ(result.status, status) << result.body;
    const Json json = Json::parse(result.body, nullptr, false);
    if (!json.is_object() || !json.contains("error")) return "no error: " + result.body;
    for (const char* name : {"message", "type", "param", "code"}) {
      EXPECT_TRUE(json["error"].contains(name)) << name;
    }
    return json["error"]["message"];
  }
  bool eventually(const std::function<bool()>& holds, int64_t milliseconds = 3000) const {
    for (int64_t i = 0; i < milliseconds; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  ServerMetrics metrics;
  std::unique_ptr<WorkQueue> queue;
  std::unique_ptr<Server> server;
  std::unique_ptr<FakeEngine> engine;
  std::unique_ptr<Listener> listener;
  int64_t port = 0;
};

/// The data of a stream's events.
inline std::vector<std::string> events_of(const std::string& stream) {
  std::vector<std::string> events;
  for (size_t at = 0; at < stream.size();) {
    const size_t end = stream.find("\n\n", at);
    if (end == stream.npos) break;
    const std::string event = stream.substr(at, end - at);
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    events.push_back(event.substr(6));
    at = end + 2;
  }
  return events;
}

}  // namespace alambic
