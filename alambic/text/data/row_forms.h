// Forms of rows that other tools write, in our names.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "alambic/text/data/data_rows.h"

namespace alambic {

/// Our names of fields, each with the name that the data has for it (--columns).
using Columns = std::vector<std::pair<std::string, std::string>>;

/// From "OURS=THEIRS" each, or several with commas between. Input errors: another form, a name of
/// ours that no reader knows, one given twice.
Columns parse_columns(const std::vector<std::string>& words);

/// The row as JSON in our names; nothing where it has them already. In this order:
///   columns     a field is renamed; one that had our name before is gone
///   ShareGPT    `conversations` is `messages`, `from` a role and `value` a content; `system` is
///   its
///               first message. human is user, gpt assistant, observation tool; function_call is a
///               call in the assistant's name. Lists in `messages`, `prompt`,
///               `completion` and `teacher_prompt` too.
///   Alpaca      `instruction`, `input`, `output`, `system`, `history` are `messages`, or `prompt`
///               and `completion` where `conversational` is false; `input` stands in the line below
///               the instruction. Where rows are read as `texts`, a `text` beside them is all of it
/// `row` must be a JSON object that is valid. Input errors name the field: a speaker that is
/// unknown, a column that the row does not have.
std::optional<std::string> in_our_names(const DataRow& row, const Columns& columns,
                                        bool conversational, bool texts = false);

}  // namespace alambic
