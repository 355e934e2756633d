// Options that know what they take: a wrong value is answered in one place, and a shell can complete a right one.
#pragma once

#include <boost/program_options.hpp>

#include <string>
#include <vector>

#include "base/settings.hpp"

namespace fleet {

/// What an option knows of its values, beside how they are read.
class OptionValues {
 public:
  virtual ~OptionValues() = default;
  /// What would be right, if `value` is not: "none, failed or all". "" if it is.
  [[nodiscard]] virtual std::string expected(const boost::any& value) const = 0;
  /// The values there are, if they are few.
  [[nodiscard]] virtual std::span<const std::string> choices() const { return {}; }
};

/// One of some words; without `standard` the option may be left out.
[[nodiscard]] boost::program_options::typed_value<std::string>* one_of(std::vector<std::string> choices,
                                                                       const std::string& standard = "");

/// Any text, for which words may be offered; what reads it checks it.
[[nodiscard]] boost::program_options::typed_value<std::string>* text(std::vector<std::string> offered);

/// A number in bounds.
[[nodiscard]] boost::program_options::typed_value<int>* integer(Range range, int standard);
[[nodiscard]] boost::program_options::typed_value<std::int64_t>* long_integer(Range range, std::int64_t standard);
[[nodiscard]] boost::program_options::typed_value<double>* number(Range range, double standard);

/// ConfigError "--rerun no: expected none, failed or all" for the first option whose value is none of its own.
void check_options(const boost::program_options::options_description& options,
                   const boost::program_options::variables_map& values);

}  // namespace fleet
