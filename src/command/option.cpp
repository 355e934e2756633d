#include "command/option.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

class Words final : public po::typed_value<std::string>, public OptionValues {
 public:
  Words(std::vector<std::string> words, bool others)
      : typed_value(nullptr), words_(std::move(words)), others_(others) {}
  std::string expected(const boost::any& value) const override {
    const bool known = std::ranges::find(words_, boost::any_cast<const std::string&>(value)) != words_.end();
    return known || others_ ? "" : alternatives(words_);
  }
  std::span<const std::string> choices() const override { return words_; }

 private:
  std::vector<std::string> words_;
  bool others_;  // may be given, too
};

template <class Number>
class Bounded final : public po::typed_value<Number>, public OptionValues {
 public:
  Bounded(Range range, Number standard) : po::typed_value<Number>(nullptr), range_(range) {
    this->default_value(standard, Value(standard).to_string());  // in the fewest digits
  }
  std::string expected(const boost::any& value) const override {
    const auto given = static_cast<double>(boost::any_cast<Number>(value));
    if (std::isfinite(given) && range_.contains(given)) return "";
    return cat(std::is_integral_v<Number> ? "an integer " : "a number ", range_.to_string());
  }

 private:
  Range range_;
};

}  // namespace

po::typed_value<std::string>* one_of(std::vector<std::string> choices, const std::string& standard) {
  auto* option = new Words(std::move(choices), false);  // NOLINT: the library owns it
  if (!standard.empty()) option->default_value(standard);
  return option;
}

po::typed_value<std::string>* text(std::vector<std::string> offered) {
  return new Words(std::move(offered), true);  // NOLINT: the library owns it
}

po::typed_value<int>* integer(Range range, int standard) {
  return new Bounded<int>(range, standard);  // NOLINT: the library owns it
}

po::typed_value<std::int64_t>* long_integer(Range range, std::int64_t standard) {
  return new Bounded<std::int64_t>(range, standard);  // NOLINT: the library owns it
}

po::typed_value<double>* number(Range range, double standard) {
  return new Bounded<double>(range, standard);  // NOLINT: the library owns it
}

void check_options(const po::options_description& options, const po::variables_map& values) {
  for (const auto& option : options.options()) {
    const auto* known = dynamic_cast<const OptionValues*>(option->semantic().get());
    if (known == nullptr || !values.contains(option->long_name())) continue;
    const po::variable_value& value = values[option->long_name()];
    const std::string expected = known->expected(value.value());
    if (expected.empty()) continue;
    const auto written = [&]() -> std::string {
      if (const auto* word = boost::any_cast<std::string>(&value.value())) return *word;
      if (const auto* whole = boost::any_cast<int>(&value.value())) return cat(*whole);
      if (const auto* large = boost::any_cast<std::int64_t>(&value.value())) return cat(*large);
      return cat(value.as<double>());
    };
    throw ConfigError(cat("--", option->long_name(), ' ', written(), ": expected ", expected));
  }
}

}  // namespace fleet
