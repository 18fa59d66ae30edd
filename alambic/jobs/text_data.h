#pragma once

#include "alambic/text/data/token_spool.h"
#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// The tokens of a data set's texts, one after another, on the disk. Rows end
/// with the end-of-text token each; a .txt file that is all there is ends without it. Errors are
/// those of the rows.
TokenSpool read_tokens(const Dataset& data, const Tokenizer& tokenizer);

/// The same of each source of a mixture.
std::vector<TokenSpool> read_tokens_by_source(const Dataset& data, const Tokenizer& tokenizer);

}  // namespace alambic
