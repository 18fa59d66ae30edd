#include "alambic/text/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <openssl/evp.h>

#include <array>
#include <limits>
#include <set>

#include "alambic/base/json_view.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/next_token_id.h"

namespace alambic {

void Tokenizer::read(const std::string& name, std::string_view bytes) {
  const JsonFile file = JsonFile::parse(name, bytes);
  const JsonView root = file.root();
  if (const auto json = root.find("normalizer")) normalizer_ = read_normalizer(*json);
  if (const auto json = root.find("pre_tokenizer")) pre_tokenizer_ = read_pre_tokenizer(*json);
  model_ = read_token_model(root.at("model"));
  if (const auto json = root.find("decoder")) decoder_ = read_decoder(*json);
  read_added_tokens(root);
  if (const auto json = root.find("post_processor")) {
    post_processor_ = read_post_processor(*json);
    for (const auto* ids : {&post_processor_.before, &post_processor_.after}) {
      for (const int32_t id : *ids) {
        if (token_of(id).empty()) {
          throw json->wrong(fmt::format("the token id {} is not in the vocabulary", id));
        }
      }
    }
  }
  index_added_tokens();
}

void Tokenizer::read_added_tokens(const JsonView& root) {
  const auto json = root.find("added_tokens");
  if (!json) return;
  const std::vector<JsonView> items = json->items();
  const int64_t largest =
      largest_id_allowed(model_->vocabulary().count() + static_cast<int64_t>(items.size()));
  std::vector<std::string> renumbered;
  std::set<int32_t> said;
  for (const JsonView& item : items) {
    AddedToken token = read_added_token(item);
    token.id = static_cast<int32_t>(item.at("id").integer(0, largest));
    const bool is_new = said.insert(token.id).second;
    const bool is_free = is_new && !model_->vocabulary().token(token.id);
    if (!is_new && !added_.find(token.id)) throw item.wrong("its id is another added token's");
    if (is_free && !id_of(token.content)) {
      // `tokenizers` numbers them on in their order, whatever the file says.
      const int32_t id = next_token_id(model_->vocabulary(), added_);
      if (id != token.id) {
        renumbered.push_back(fmt::format("\"{}\" {} for {}", token.content, id, token.id));
      }
      token.id = id;
    }
    try {
      add_token(std::move(token));
    } catch (const Error& error) {
      throw item.wrong(error.what());
    }
  }
  if (!renumbered.empty()) {
    warn(
        "{}: added tokens have other ids than the file says, as in `tokenizers`, which counts on "
        "from the vocabulary: {}",
        root.file(), join(renumbered));
  }
}

// A token that the model knows too must have the model's id.
void Tokenizer::add_token(AddedToken token) {
  const Vocabulary& vocabulary = model_->vocabulary();
  const std::string* owner = vocabulary.token(token.id);
  if (owner && *owner != token.content) {
    throw input_error("the added token \"{}\" has id {}, which is the model's \"{}\"",
                      token.content, token.id, *owner);
  }
  if (const auto id = vocabulary.find(token.content); id && *id != token.id) {
    throw input_error("the added token \"{}\" has id {}, but the model's vocabulary gives it {}",
                      token.content, token.id, *id);
  }
  added_.add(std::move(token));
}

void Tokenizer::index_added_tokens() {
  const auto normalize = [this](const std::string& text) {
    return normalizer_ ? normalizer_->normalize(text) : text;
  };
  added_.index(normalize, splits_special_);
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special) const {
  std::vector<int32_t> ids;
  if (add_special) ids = post_processor_.before;
  const std::string valid = replace_invalid_utf8(text);
  for (const TextPart& part : added_.split(valid, false)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      tokenize_between(part.text, part.text.data() == valid.data(), ids);
    }
  }
  if (add_special) {
    ids.insert(ids.end(), post_processor_.after.begin(), post_processor_.after.end());
  }
  return ids;
}

std::vector<Stretch> Tokenizer::encode_stretches(std::string_view text, bool at_start) const {
  std::vector<Stretch> stretches;
  for (const TextPart& part : added_.split(text, false)) {
    Stretch& stretch = stretches.emplace_back(Stretch{.text = part.text, .added = part.id >= 0});
    if (stretch.added) {
      stretch.ids = {part.id};
    } else {
      tokenize_between(part.text, at_start && part.text.data() == text.data(), stretch.ids);
    }
  }
  return stretches;
}

void Tokenizer::tokenize_between(std::string_view text, bool at_start,
                                 std::vector<int32_t>& ids) const {
  std::string normal(text);
  if (normalizer_) normal = normalizer_->normalize(std::move(normal));
  for (const TextPart& part : added_.split(normal, true)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    Pieces pieces{.text = std::string(part.text),
                  .ranges = {{0, part.text.size()}},
                  .at_start = at_start && part.text.data() == normal.data()};
    if (pre_tokenizer_) pre_tokenizer_->apply(pieces);
    model_->tokenize(pieces, ids);
  }
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int32_t id : ids) {
    const AddedToken* added = added_.find(id);
    if (added && added->special && skip_special) continue;
    if (added) {
      tokens.push_back(added->surface);
    } else if (const std::string* token = model_->vocabulary().token(id)) {
      tokens.push_back(*token);
    }
  }
  if (!decoder_) return join(tokens, " ");
  return join(decoder_->decode(std::move(tokens)), "");
}

int64_t Tokenizer::size() const {
  const int64_t added = added_.all().empty() ? 0 : added_.all().rbegin()->first + int64_t{1};
  return std::max(added, model_->vocabulary().limit());
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  if (const AddedToken* added = added_.find(token)) return added->id;
  return model_->vocabulary().find(token);
}

std::string Tokenizer::token_of(int32_t id) const {
  if (const AddedToken* added = added_.find(id)) return added->content;
  const std::string* token = model_->vocabulary().token(id);
  return token ? *token : "";
}

bool Tokenizer::is_special(int32_t id) const {
  const AddedToken* added = added_.find(id);
  return added && added->special;
}

std::string Tokenizer::digest() const {
  const std::string& bytes = files_.at("tokenizer.json");
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned length = 0;
  check(EVP_Digest(bytes.data(), bytes.size(), hash.data(), &length, EVP_sha256(), nullptr) == 1,
        "SHA-256 failed");
  return fmt::format("{:02x}", fmt::join(hash.begin(), hash.begin() + length, ""));
}

std::string describe_difference(const Tokenizer& a, const Tokenizer& b, std::string_view name_of_a,
                                std::string_view name_of_b) {
  constexpr size_t shown = 3;
  std::vector<std::string> differences;
  int64_t count = 0;
  const int64_t common = std::min(a.size(), b.size());
  for (int32_t id = 0; id < common; ++id) {
    const std::string token_a = a.token_of(id), token_b = b.token_of(id);
    if (token_a == token_b) continue;
    if (differences.size() < shown) {
      differences.push_back(fmt::format("id {} is \"{}\" and \"{}\"", id, token_a, token_b));
    }
    ++count;
  }
  if (a.size() == b.size() && count == 0) return "";
  std::string text =
      fmt::format("{} has {} tokens, {} has {}", name_of_a, a.size(), name_of_b, b.size());
  if (count == 0) return text + fmt::format("; the first {} are the same", common);
  return text + fmt::format("; {} of the first {} ids differ: {}{}", count, common,
                            join(differences),
                            differences.size() < static_cast<size_t>(count) ? ", …" : "");
}

}  // namespace alambic
