#include "alambic/remote/probe.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "alambic/base/byte_text.h"
#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/base/stopwatch.h"
#include "alambic/base/utf8.h"

namespace alambic {

std::vector<int32_t> probe_tokens(const Tokenizer& tokenizer, size_t count, size_t variant) {
  constexpr const char* texts[] = {
      "The café on the corner sells 12 kinds of bread; on Sunday, 7 of them are gone by nine. "
      "Anna counts the rest and writes the sum on a card: \"12 - 7 = 5\".\n",
      "A river begins as a small spring. After 30 miles it has grown, and the boats that carry "
      "wood and stone to the town can float on it, even in a dry summer.\n"};
  std::vector<int32_t> tokens;
  const std::vector<int32_t> once = tokenizer.encode(texts[variant % 2], /*add_special=*/false);
  for (const int32_t token : once) {
    if (!tokenizer.is_special(token) && tokenizer.special().unk != token) tokens.push_back(token);
  }
  for (size_t i = 0; tokens.size() < 4; ++i) tokens.push_back(static_cast<int32_t>(i));
  if (tokens.size() > count) tokens.resize(count);
  return tokens;
}

namespace {

struct Models {
  std::vector<std::string> ids;
  std::string owner;
  std::map<std::string, int64_t> positions;
};

Models read_models(const std::string& body) {
  Models models;
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("data") || !json["data"].is_array()) {
    throw MalformedReply("no list of models");
  }
  const nlohmann::json& data = json["data"];
  for (const nlohmann::json& model : data) {
    if (!model.is_object() || !model.contains("id") || !model["id"].is_string()) continue;
    const std::string id = model["id"];
    models.ids.push_back(id);
    if (model.contains("owned_by") && model["owned_by"].is_string()) {
      models.owner = model["owned_by"];
    }
    const auto length = model.find("max_model_len");
    if (length != model.end() && length->is_number_integer()) models.positions[id] = *length;
  }
  return models;
}

// Spellings that can be those of our token. Halves of characters and leading spaces are spelled in
// several ways.
bool spells(const SpelledToken& spelled, const Tokenizer& tokenizer) {
  const auto bytes = tokenizer.bytes_of(spelled.id);
  if (bytes && (*bytes == spelled.text || byte_text(*bytes) == spelled.text)) return true;
  if (tokenizer.is_special(spelled.id)) return true;
  if (spelled.exact && bytes && !bytes->empty()) return false;
  const std::string own = bytes ? *bytes : tokenizer.decode({{spelled.id}});
  const auto bare = [](std::string_view text) {
    return text.starts_with(' ') ? text.substr(1) : text;
  };
  if (bare(own) == bare(spelled.text)) return true;
  // Halves of characters are spelled by vLLM as the whole character that they end.
  if (!is_valid_utf8(own) && spelled.text.ends_with(own)) return true;
  return spelled.text.find("\xEF\xBF\xBD") != spelled.text.npos || spelled.text.empty();
}

double largest_difference(const TokenGrades& a, const TokenGrades& b) {
  double largest = 0;
  const auto see = [&](float x, float y) {
    if (!std::isnan(x) && !std::isnan(y)) {
      largest = std::max(largest, static_cast<double>(std::abs(x - y)));
    }
  };
  for (size_t i = 0; i < a.logp.size(); ++i) see(a.logp[i], b.logp[i]);
  for (size_t i = 0; i < a.topk_logp.size(); ++i) see(a.topk_logp[i], b.topk_logp[i]);
  return largest;
}

}  // namespace

struct Probe {
  RemoteGrader& grader;
  const GraderSettings& wanted = grader.settings();
  ServerFacts& facts = grader.facts_;
  std::vector<SpelledToken> spelled = {};

  std::string name() const { return grader.client().endpoint().name(); }

  void identify() {
    const Models models = ask_models();
    choose_model(models);
    choose_protocol(models);
  }

  void run() {
    grader.wire_ = make_grade_wire(facts.protocol, grader.tokenizer());
    try {
      check_abilities();
      ask_props();
      ask_version();
      look_at_grades();
      check_spelling();
    } catch (...) {
      grader.wire_ = nullptr;
      throw;
    }
  }

  std::string get(const std::string& route) {
    std::string body;
    const Exchange exchange{.route = route, .read = [&](const Answer& answer) {
                              body = answer.body;
                              const auto server = answer.headers.find("server");
                              if (server != answer.headers.end()) facts.version = server->second;
                              return Usage();
                            }};
    grader.client().run({&exchange, 1});
    return body;
  }

  Models ask_models() {
    try {
      return read_models(get("/v1/models"));
    } catch (const MalformedReply& error) {
      throw input_error("{}: {}", name(), error.what())
          .with_hint("--teacher https://host[:port][/v1] of a server with OpenAI's routes");
    }
  }

  void choose_model(const Models& models) {
    const std::string& asked = wanted.endpoint.model;
    if (asked.empty() && models.ids.size() != 1) {
      throw input_error("{} serves {} models: {}", name(), models.ids.size(),
                        join(models.ids).substr(0, 500))
          .with_hint("--teacher …#MODEL names one");
    }
    facts.model = asked.empty() ? models.ids.front() : asked;
    const auto known = std::ranges::find(models.ids, facts.model);
    if (known == models.ids.end()) {
      throw input_error("{} does not serve it; it has: {}", name(),
                        join(models.ids).substr(0, 500));
    }
    const auto length = models.positions.find(facts.model);
    if (length != models.positions.end()) facts.positions = length->second;
  }

  void choose_protocol(const Models& models) {
    facts.protocol = wanted.protocol;
    if (facts.protocol != Protocol::automatic) return;
    for (const Protocol protocol :
         {Protocol::vllm, Protocol::llamacpp, Protocol::sglang, Protocol::alambic}) {
      if (models.owner == protocol_name(protocol)) facts.protocol = protocol;
    }
    if (facts.protocol == Protocol::automatic) {
      throw input_error("{} does not say what kind of server it is (owned_by is '{}')", name(),
                        printable(models.owner.substr(0, 100)))
          .with_hint("--teacher-protocol vllm, llamacpp, sglang, echo or alambic");
    }
  }

  void check_abilities() const {
    const GradeAbilities able = grader.wire().abilities();
    const std::string protocol = protocol_name(facts.protocol);
    if (wanted.k > 0 && !able.topk) {
      throw input_error("{} ({}) grades each token by one number, and --kd-topk {} asks for more",
                        name(), protocol, wanted.k)
          .with_hint("--objective sampled_reverse_kl learns from one number a token");
    }
    if (able.most_k > 0 && wanted.k > able.most_k) {
      throw input_error("{} ({}) gives at most {} candidates a token, --kd-topk asks for {}",
                        name(), protocol, able.most_k, wanted.k);
    }
    if (wanted.needs_logp && !able.logp && wanted.k < grader.tokenizer().size()) {
      throw input_error(
          "{} ({}) does not grade tokens outside its most likely ones, from which --objective "
          "learns",
          name(), protocol)
          .with_hint("a divergence over --kd-topk tokens, as --objective reverse_kl --kd-topk 20");
    }
  }

  // llama.cpp tells its context elsewhere.
  void ask_props() {
    if (facts.protocol != Protocol::llamacpp) return;
    const nlohmann::json json = nlohmann::json::parse(get("/props"), nullptr, false);
    if (!json.is_object()) return;
    if (json.contains("build_info") && json["build_info"].is_string()) {
      facts.version = json["build_info"];
    }
    const auto defaults = json.find("default_generation_settings");
    if (defaults == json.end() || !defaults->is_object()) return;
    const auto length = defaults->find("n_ctx");
    if (length != defaults->end() && length->is_number_integer()) facts.positions = *length;
  }

  // vLLM names the library that carries its HTTP in its headers. TRL's older server has no version.
  void ask_version() {
    if (facts.protocol != Protocol::vllm && facts.protocol != Protocol::alambic) return;
    try {
      const nlohmann::json json = nlohmann::json::parse(get("/version"), nullptr, false);
      if (json.is_object() && json.contains("version") && json["version"].is_string()) {
        facts.version = json["version"];
      }
    } catch (const Error& error) {
      if (error.exit() != Exit::input) throw;
    }
  }

  TokenGrades grade(const std::vector<int32_t>& tokens) {
    const GradeRequest request{.tokens = tokens};
    TokenGrades all{.k = wanted.k};
    for (const GradeRequest& part : grader.wire().parts(request)) {
      Exchange exchange{.route = grader.wire().route(),
                        .body = grader.wire().body(facts.model, {&part, 1}, wanted.k),
                        .most = {.input_tokens = std::ssize(part.tokens), .output_tokens = 1},
                        .max_bytes = uint64_t{1} << 30};
      exchange.read = [&](const Answer& answer) {
        std::vector<TokenGrades> grades = grader.wire().read(answer.body, {&part, 1}, wanted.k);
        check_grades(grades.at(0), part, wanted.k, grader.tokenizer().size());
        all.append(grades[0]);
        if (spelled.size() < 4096) {
          for (SpelledToken& token : grader.wire().spelled(answer.body)) {
            spelled.push_back(std::move(token));
          }
        }
        return grader.wire().usage(answer.body).value_or(exchange.most);
      };
      grader.client().run({&exchange, 1});
    }
    return all;
  }

  // The first request that has a K: a server that gives fewer says so here.
  TokenGrades first_grades(const std::vector<int32_t>& text) {
    try {
      return grade(text);
    } catch (const Error& error) {
      const std::string words = error.what();
      if (error.exit() != Exit::input || words.find("logprobs") == words.npos) throw;
      throw error.with_hint(
          fmt::format("a smaller --kd-topk than {}, or a server that gives more (vLLM: "
                      "--max-logprobs {})",
                      wanted.k, wanted.k));
    }
  }

  void look_at_grades() {
    const std::vector<int32_t> text = probe_tokens(grader.tokenizer(), 32, 0);
    const TokenGrades first = first_grades(text);
    if (std::ranges::all_of(first.logp, [](float logp) { return logp > -1e-6F; })) {
      throw input_error("{}: every token of a plain text has the probability 1", name())
          .with_hint("servers with speculative decoding report that; turn it off for a teacher");
    }
    grade(probe_tokens(grader.tokenizer(), 32, 1));
    const Stopwatch watch;
    facts.noise = largest_difference(first, grade(text));
    facts.logp = first.logp;
    facts.tokens_per_second = static_cast<double>(text.size()) / std::max(1e-6, watch.seconds());
    if (facts.noise > wanted.noise) {
      throw input_error(
          "{} graded one text twice, and the log-probabilities differ by up to {:.3g} nats", name(),
          facts.noise)
          .with_hint(
              "several replicas behind one address, or prefix caching with a fault; "
              "--teacher-noise allows more");
    }
    if (facts.noise > 1e-3) {
      warn("{} graded one text twice, and the log-probabilities differ by up to {:.3g} nats",
           name(), facts.noise);
    }
  }

  void check_spelling() const {
    size_t wrong = 0;
    const SpelledToken* example = nullptr;
    for (const SpelledToken& token : spelled) {
      if (token.id < grader.tokenizer().size() && spells(token, grader.tokenizer())) continue;
      ++wrong;
      if (example == nullptr) example = &token;
    }
    // Some tokens are spelled in ways of the server's own.
    if (example == nullptr || wrong * 50 <= spelled.size()) return;
    const auto bytes = grader.tokenizer().bytes_of(example->id);
    throw input_error(
        "{} has another tokenizer: token {} is \"{}\" there and \"{}\" here ({} of {} candidates "
        "differ)",
        name(), example->id, printable(byte_text(example->text)),
        printable(byte_text(bytes.value_or(grader.tokenizer().token_of(example->id)))), wrong,
        spelled.size())
        .with_hint("the grades of a token of ours would be those of another word");
  }
};

void probe_server(RemoteGrader& grader) { Probe{.grader = grader}.run(); }
void identify_server(RemoteGrader& grader) { Probe{.grader = grader}.identify(); }

}  // namespace alambic
