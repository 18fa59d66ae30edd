#include "alambic/text/tokenizer/added_tokens.h"

#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"

namespace alambic {
namespace {

// The character that ends just before `position`.
char32_t code_point_before(std::string_view text, size_t position) {
  size_t start = position - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
  return next_code_point(text, start);
}

char32_t code_point_at(std::string_view text, size_t position) {
  return next_code_point(text, position);
}

bool touches_a_word(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && is_word(code_point_before(text, begin))) ||
         (end < text.size() && is_word(code_point_at(text, end)));
}

size_t spaces_before(std::string_view text, size_t begin, size_t floor) {
  while (begin > floor && is_space(code_point_before(text, begin))) {
    do {
      --begin;
    } while (begin > floor && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80);
  }
  return begin;
}

size_t spaces_after(std::string_view text, size_t end) {
  for (size_t next = end; next < text.size(); end = next) {
    if (!is_space(next_code_point(text, next))) break;
  }
  return end;
}

}  // namespace

AddedToken read_added_token(const JsonView& json) {
  AddedToken token;
  if (json.is_string()) {
    token.content = json.string();
    token.special = true;
    return token;
  }
  token.content = json.at("content").string();
  token.special = json.boolean_or("special", false);
  token.lstrip = json.boolean_or("lstrip", false);
  token.rstrip = json.boolean_or("rstrip", false);
  token.single_word = json.boolean_or("single_word", false);
  token.normalized = json.boolean_or("normalized", !token.special);
  if (token.content.empty()) throw json.wrong("an added token is empty");
  return token;
}

void TokenTrie::insert(std::string_view text, int32_t id) {
  int32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (const int32_t* next = edges_.find(node, byte)) {
      node = *next;
    } else {
      const auto fresh = static_cast<int32_t>(id_of_node_.size());
      edges_.insert(node, byte, fresh);
      id_of_node_.push_back(-1);
      node = fresh;
    }
  }
  if (node != 0) id_of_node_[static_cast<size_t>(node)] = id;
}

int32_t TokenTrie::longest_at(std::string_view text, size_t position, size_t& length) const {
  int32_t longest = -1;
  for_each_prefix(text, position, [&](size_t found_length, int32_t id) {
    longest = id;
    length = found_length;
  });
  return longest;
}

void AddedTokens::add(AddedToken token) {
  if (token.content.empty()) throw input_error("an added token is empty");
  const auto other = tokens_.find(token.id);
  if (other != tokens_.end() && other->second.content != token.content) {
    throw input_error("the added tokens \"{}\" and \"{}\" have the same id {}",
                      other->second.content, token.content, token.id);
  }
  const auto [known, fresh] = ids_.emplace(token.content, token.id);
  if (!fresh && known->second != token.id) {
    throw input_error("the added token \"{}\" has two ids, {} and {}", token.content, known->second,
                      token.id);
  }
  tokens_[token.id] = std::move(token);
}

void AddedTokens::index(const std::function<std::string(const std::string&)>& normalize,
                        bool split_special) {
  before_ = after_ = plain_before_ = plain_after_ = TokenTrie();
  for (auto& [id, token] : tokens_) {
    token.surface = token.normalized ? normalize(token.content) : token.content;
    if (split_special && token.special) continue;
    (token.normalized ? after_ : before_).insert(token.surface, id);
    if (token.special) continue;
    (token.normalized ? plain_after_ : plain_before_).insert(token.surface, id);
  }
}

std::vector<TextPart> AddedTokens::split(std::string_view text, bool normalized,
                                         bool special) const {
  const TokenTrie& all = normalized ? after_ : before_;
  const TokenTrie& trie = special ? all : normalized ? plain_after_ : plain_before_;
  std::vector<TextPart> parts;
  size_t done = 0;
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    const int32_t id = trie.longest_at(text, i, length);
    if (id < 0) {
      ++i;
      continue;
    }
    const AddedToken& token = tokens_.at(id);
    size_t begin = i;
    size_t end = i += length;
    if (token.single_word && touches_a_word(text, begin, end)) continue;
    if (token.lstrip) begin = spaces_before(text, begin, done);
    if (token.rstrip) end = spaces_after(text, end);
    if (done < begin) parts.push_back({text.substr(done, begin - done), -1});
    parts.push_back({text.substr(begin, end - begin), id});
    i = done = end;
  }
  if (done < text.size()) parts.push_back({text.substr(done), -1});
  return parts;
}

const AddedToken* AddedTokens::find(int32_t id) const {
  const auto found = tokens_.find(id);
  return found == tokens_.end() ? nullptr : &found->second;
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto found = ids_.find(std::string(content));
  return found == ids_.end() ? nullptr : find(found->second);
}

}  // namespace alambic
