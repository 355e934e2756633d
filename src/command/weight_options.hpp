// Options of `fleet merge` that are for safetensors files only: how they are written, and what they say.
#pragma once

#include <boost/program_options.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merge/weight_arithmetic.hpp"

namespace fleet {

[[nodiscard]] boost::program_options::options_description weight_options();

/// Those that a method reads.
[[nodiscard]] std::vector<std::string_view> options_of(Arithmetic method);

/// ConfigError for the first that is given and is not `of_use` to `what`.
void refuse_options(const boost::program_options::variables_map& values, const std::string& what,
                    const std::vector<std::string_view>& of_use);

/// A number from `low` to `high`; `otherwise` where the option is absent. ConfigError for anything else.
[[nodiscard]] double read_number(const boost::program_options::variables_map& values, const char* option,
                                 double otherwise, double low, double high);

/// --weights 1,2.5,1: one a model, none negative unless changes are weighted; empty if it is absent. ConfigError.
[[nodiscard]] std::vector<double> read_weights(const boost::program_options::variables_map& values, std::size_t models,
                                               bool may_subtract);

/// --weight 0.3, or --weight 'PATTERN=0.3' again and again: shares of the second model, by names of tensors.
[[nodiscard]] std::vector<std::pair<std::string, double>> read_shares(
    const boost::program_options::variables_map& values);

}  // namespace fleet
