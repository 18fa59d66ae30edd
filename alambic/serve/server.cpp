#include "alambic/serve/server.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "alambic/base/log.h"
#include "alambic/base/version.h"
#include "alambic/serve/api_error.h"
#include "alambic/serve/grade_answer.h"
#include "alambic/serve/json_text.h"
#include "alambic/serve/openapi.h"
#include "alambic/serve/page.h"
#include "alambic/serve/run_feed.h"
#include "alambic/serve/text_answer.h"

namespace alambic {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::array post_paths = {"/v1/completions", "/v1/chat/completions", "/v1/grade",
                                   "/tokenize", "/detokenize"};
constexpr std::array get_paths = {"/",           "/health",  "/version",      "/metrics",
                                  "/v1/models",  "/v1/head", "/openapi.json", "/run/metrics",
                                  "/run/samples"};

HttpAnswer json_answer(const Json& json) { return {.body = compact_json(json)}; }

// Of lengths that differ too: how long it takes says nothing of the key.
bool same_secret(std::string_view given, std::string_view key) {
  unsigned difference = given.size() == key.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    difference |=
        static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(key[i % key.size()]);
  }
  return difference == 0;
}

// A page of another site can give a name of its own this machine's address, and then read what
// the server says to the person's browser. It cannot do so with an address or "localhost".
bool is_own_host(std::string_view host) {
  if (host.empty() || host.starts_with('[')) return true;
  const std::string_view name = host.substr(0, host.find(':'));
  return name == "localhost" || name.find_first_not_of("0123456789.") == name.npos;
}

bool contains(std::span<const char* const> paths, const std::string& path) {
  return std::ranges::find(paths, path) != paths.end();
}

}  // namespace

Server::Server(ServerOptions options, std::vector<ServedModel> models, WorkQueue& queue,
               const ServerMetrics& metrics)
    : options_(std::move(options)),
      models_(std::move(models)),
      queue_(queue),
      metrics_(metrics),
      started_(std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count()) {}

HttpService Server::service() {
  return {
      .refuse = [this](const ServerRequest& call) { return refuse(call); },
      .reply = [this](const ServerRequest& call, const Wake& wake) { return reply(call, wake); }};
}

std::optional<HttpAnswer> Server::refuse(const ServerRequest& call) const {
  if (call.path == "/health" || call.path == "/") return std::nullopt;
  if (!options_.key) {
    if (is_own_host(call.host)) return std::nullopt;
    return error_answer(
        ApiError(403, fmt::format("this server without a key does not answer to the "
                                  "name '{:.100}', but to its address or localhost",
                                  call.host)));
  }
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view given = call.authorization;
  if (given.starts_with(scheme) &&
      same_secret(given.substr(scheme.size()), options_.key->reveal())) {
    return std::nullopt;
  }
  return error_answer(ApiError(401, "the request has no or a wrong key: Authorization: Bearer KEY",
                               "", "invalid_api_key"));
}

HttpReply Server::reply(const ServerRequest& call, const Wake& wake) const {
  try {
    return answer(call, wake);
  } catch (const ApiError& error) {
    return error_answer(error);
  } catch (const Error& error) {
    if (error.exit() == Exit::input) {
      return error_answer(ApiError(400, RequestFields::with_hint(error)));
    }
    warn("{} {}: {}", call.method, call.path, error.what());
    return error_answer(ApiError(500, error.what()));
  } catch (const std::exception& error) {
    warn("{} {}: {}", call.method, call.path, error.what());
    return error_answer(ApiError(500, "the server failed; its log says why"));
  }
}

HttpReply Server::answer(const ServerRequest& call, const Wake& wake) const {
  const bool is_model = call.path.starts_with("/v1/models/");
  if (!is_model && !contains(get_paths, call.path) && !contains(post_paths, call.path)) {
    throw ApiError(404, fmt::format("there is nothing at {:.200}", call.path), "", "not_found");
  }
  const bool posts = contains(post_paths, call.path);
  if (posts && call.method == "POST") return post(call, wake);
  if (!posts && (call.method == "GET" || call.method == "HEAD")) return get(call);
  HttpAnswer refused = error_answer(ApiError(
      405, fmt::format("{} takes {}", call.path, posts ? "POST" : "GET"), "", "bad_method"));
  refused.headers.emplace_back("Allow", posts ? "POST" : "GET, HEAD");
  return refused;
}

size_t Server::model_index(const std::string& name) const {
  if (name.empty()) return 0;
  for (size_t i = 0; i < models_.size(); ++i) {
    if (models_[i].name == name) return i;
  }
  std::string names;
  for (const ServedModel& model : models_) names += (names.empty() ? "" : ", ") + model.name;
  throw ApiError(404, fmt::format("there is no model '{:.200}' here, but {}", name, names), "model",
                 "model_not_found");
}

HttpReply Server::post(const ServerRequest& call, const Wake& wake) const {
  const JsonFile body = parse_request(call.body);
  const RequestFields fields(body.root());
  const size_t index = model_index(fields.text("model", ""));
  const ServedModel& model = models_[index];
  if (call.path == "/tokenize") return tokenized(fields, model);
  if (call.path == "/detokenize") return detokenized(fields, model);
  if (call.path == "/v1/grade") {
    std::shared_ptr<GradeJob> job = read_grade_request(fields, model);
    job->model = index;
    const bool as_json = call.accept.find("application/json") != std::string::npos;
    return std::make_unique<GradeAnswer>(
        std::move(job), as_json ? GradeForm::json : GradeForm::safetensors, model, queue_, wake);
  }
  return std::make_unique<TextAnswer>(call.path == "/v1/completions"
                                          ? read_completion_request(fields, model)
                                          : read_chat_request(fields, model),
                                      index, model, queue_, wake);
}

HttpAnswer Server::get(const ServerRequest& call) const {
  if (call.path == "/health") {
    if (queue_.closed()) return error_answer(busy("this server is stopping", 10));
    return json_answer({{"status", "ok"}});
  }
  if (call.path == "/") return {.content_type = "text/html; charset=utf-8", .body = serve_page};
  if (call.path == "/version") return json_answer({{"version", kVersion}});
  if (call.path == "/openapi.json") return {.body = serve_openapi};
  if (call.path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics_text(metrics_, queue_.waiting(), queue_.rejections())};
  }
  if (call.path == "/v1/head") {
    const ServedModel& model = models_[model_index(call.query("model").value_or(""))];
    return {.content_type = "application/x-safetensors",
            .body = model.head(),
            .headers = {{"X-Head-Digest", model.head_digest()}}};
  }
  if (call.path.starts_with("/run/")) return run_file(call);
  constexpr std::string_view models = "/v1/models";
  return models_list(call.path.size() > models.size() ? call.path.substr(models.size() + 1) : "");
}

HttpAnswer Server::models_list(const std::string& name) const {
  const auto entry = [&](const ServedModel& model) -> Json {
    return {{"id", model.name},
            {"object", "model"},
            {"created", started_},
            {"owned_by", "alambic"},
            {"max_model_len", model.context},
            {"vocabulary", model.vocabulary},
            {"tokenizer", model.tokenizer->digest()},
            {"chat", model.chat_template != nullptr}};
  };
  if (!name.empty()) return json_answer(entry(models_[model_index(name)]));
  Json list = {{"object", "list"}, {"data", Json::array()}};
  for (const ServedModel& model : models_) list["data"].push_back(entry(model));
  return json_answer(list);
}

HttpAnswer Server::tokenized(const RequestFields& fields, const ServedModel& model) const {
  const bool is_chat = fields.find("messages").has_value();
  const std::string text = is_chat ? chat_prompt(fields, model) : fields.text("prompt", "");
  const bool special = fields.flag("add_special_tokens", !is_chat);
  const std::vector<int32_t> ids = model.tokenizer->encode(text, special);
  Json json = {{"count", ids.size()}, {"max_model_len", model.context}, {"tokens", ids}};
  if (fields.flag("return_token_strs", false)) {
    json["token_strs"] = Json::array();
    for (const int32_t id : ids) json["token_strs"].push_back(model.tokenizer->token_of(id));
  }
  return json_answer(json);
}

HttpAnswer Server::detokenized(const RequestFields& fields, const ServedModel& model) const {
  const std::vector<int32_t> ids = fields.ids("tokens", model.vocabulary);
  return json_answer({{"prompt", model.tokenizer->decode(ids)}});
}

HttpAnswer Server::run_file(const ServerRequest& call) const {
  if (options_.run.empty()) {
    throw ApiError(404, "this server shows no training run: start it with --run DIR", "", "no_run");
  }
  const std::string after = call.query("after").value_or("0");
  return json_answer(run_feed(
      options_.run, call.path == "/run/metrics" ? RunFile::metrics : RunFile::samples, after));
}

}  // namespace alambic
