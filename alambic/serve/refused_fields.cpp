#include "alambic/serve/refused_fields.h"

#include <fmt/core.h>

#include <array>

namespace alambic {

namespace {

// Refused unless they say nothing.
struct Unknown {
  const char *name, *what;
};

constexpr Unknown everywhere[] = {
    {"presence_penalty", "a penalty other than 0"},
    {"frequency_penalty", "a penalty other than 0"},
    {"guided_json", "guided decoding"},
    {"guided_regex", "guided decoding"},
    {"guided_choice", "guided decoding"},
    {"guided_grammar", "guided decoding"},
    {"structured_outputs", "guided decoding"},
    {"grammar", "guided decoding"},
    {"json_schema", "guided decoding"},
    {"regex", "guided decoding"},
    {"ebnf", "guided decoding"},
    {"min_tokens", "this field"},
    {"allowed_token_ids", "this field"},
    {"bad_words", "this field"},
    {"use_beam_search", "this field"},
    {"suffix", "this field"},
    {"audio", "this field"},
    {"prediction", "this field"},
    {"functions", "this field"},
    {"prompt_embeds", "this field"},
    {"truncate_prompt_tokens", "this field"},
    {"continue_final_message", "this field"},
    {"watermarking", "this field"},
    {"include_stop_str_in_output", "this field"},
    {"logprob_token_ids", "this field"},
    {"logits_processors", "this field"},
    {"repetition_detection", "this field"},
    {"vllm_xargs", "this field"},
    {"mirostat", "this field"},
    {"dry_multiplier", "this field"},
    {"xtc_probability", "this field"},
    {"top_a", "this field"},
    {"dynatemp_range", "this field"},
    {"no_repeat_ngram_size", "this field"},
    {"samplers", "this field"},
    {"n_predict", "this field ('max_tokens' is)"},
    {"n_probs", "this field ('logprobs' is)"},
};

constexpr Unknown in_chats[] = {
    {"echo", "this field in a chat"},
    {"documents", "this field ('chat_template_kwargs' is)"},
    {"chat_template", "a template of the request's own"},
    {"add_special_tokens", "this field in a chat, whose template writes them,"},
    {"enable_thinking", "this field ('chat_template_kwargs' is)"},
    {"thinking", "this field ('chat_template_kwargs' is)"},
    {"thinking_token_budget", "this field"},
};

// Refused unless they are the number that does nothing.
struct Factor {
  const char* name;
  double neutral;
};

constexpr Factor factors[] = {
    {"typical_p", 1}, {"tfs_z", 1}, {"repeat_penalty", 1}, {"top_n_sigma", -1}};

void refuse_formats(const RequestFields& fields) {
  if (!fields.find("response_format")) return;
  const std::string type = fields.read("response_format", [](const JsonView& json) {
    return std::string(json.at("type").string());
  });
  if (type != "text") refuse_field("response_format", type);
}

void refuse_in_chat(const RequestFields& fields) {
  for (const Unknown& field : in_chats) fields.refuse(field.name, field.what);
  if (fields.find("web_search_options")) refuse_field("web_search_options", "a search");
  const std::string verbosity = fields.text("verbosity", "medium");
  if (verbosity != "medium") refuse_field("verbosity", "one other than medium");
  if (!fields.find("modalities")) return;
  fields.read("modalities", [](const JsonView& json) {
    for (const JsonView& item : json.items()) {
      if (item.string() != "text") refuse_field("modalities", std::string(item.string()));
    }
    return 0;
  });
}

void refuse_tool_choice(const RequestFields& fields) {
  const std::optional<JsonView> choice = fields.find("tool_choice");
  if (!choice) return;
  const bool is_free = choice->is_string() && choice->string() != "required";
  if (is_free) return;
  throw ApiError(400, "'tool_choice' can be \"auto\" or \"none\": no call is forced here",
                 "tool_choice", "unsupported_field");
}

}  // namespace

void refuse_without_effect(const RequestFields& fields, TextForm form) {
  for (const Unknown& field : everywhere) fields.refuse(field.name, field.what);
  for (const Factor& field : factors) {
    const double value = fields.number(field.name, field.neutral, -1e9, 1e9);
    if (value != field.neutral)
      refuse_field(field.name, fmt::format("a number other than {}", field.neutral));
  }
  refuse_formats(fields);
  if (form == TextForm::chat) {
    refuse_tool_choice(fields);
    refuse_in_chat(fields);
  } else {
    fields.refuse("max_completion_tokens", "this field in a completion ('max_tokens' is)");
  }
}

}  // namespace alambic
