"""Where each acceptance scenario of the engine is tested.

Every number stands for one; each name is a test in one of the files beside this one, or in the
folder that it names.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

SCENARIOS: dict[int, tuple[str, ...]] = {
    # Sequence
    1: ("engine/test_run.py::test_one_step_is_on_record_with_input_and_output",),
    2: ("engine/test_run.py::test_the_second_steps_input_is_the_firsts_output",),
    3: (
        "engine/test_workflow.py::test_no_step_is_refused",
        "engine/test_workflow.py::test_a_step_after_commit_is_refused",
        "engine/test_workflow.py::test_two_nodes_with_one_id_are_refused_and_with_id_helps",
    ),
    4: ("engine/test_run.py::test_runs_started_together_are_independent",),
    5: (
        "engine/test_run.py::test_a_given_id_is_used_and_cannot_be_started_again",
        "engine/test_run.py::test_of_two_starts_of_one_id_at_once_one_executes",
        "engine/test_processes.py::test_of_two_processes_that_start_one_run_one_walks_it",
    ),
    6: ("engine/test_run.py::test_bad_workflow_input_raises_before_anything_is_on_record",),
    7: (
        "engine/test_run.py::test_bad_step_input_fails_the_step_that_asked_for_it",
        "engine/test_run.py::test_bad_step_output_fails_the_step_without_a_retry",
    ),
    8: ("engine/test_run.py::test_a_model_with_more_fields_passes_where_fewer_are_asked_for",),
    9: (
        "engine/test_step.py::test_results_of_other_steps_are_typed_and_found_outward",
        "engine/test_foreach.py::test_results_of_items_seen_from_inside_and_outside",
        "engine/test_loops.py::test_a_body_may_be_a_whole_workflow",
    ),
    10: ("engine/test_run.py::test_an_error_keeps_its_name_message_causes_and_traceback",),
    11: (
        "engine/test_bail.py::test_a_bail_ends_the_run_with_success_and_its_output",
        "engine/test_bail.py::test_a_bail_in_a_nested_workflow_ends_that_one_only",
        "engine/test_bail.py::test_a_bail_in_an_arm_ends_the_workflow_around_and_cancels_the_others",
    ),
    # Retry and timeout
    12: (
        "engine/test_run.py::test_a_step_is_tried_once_unless_a_policy_says_more",
        "engine/test_run.py::test_every_attempt_is_on_record_and_the_last_error_is_raised",
    ),
    13: (
        "engine/test_run.py::test_the_steps_policy_beats_the_workflows",
        "engine/test_run.py::test_nested_policies_do_not_multiply",
        "engine/test_run.py::test_a_nested_step_without_a_policy_has_the_next_one_outward",
    ),
    14: (
        "engine/test_recovery.py::test_attempts_already_used_count",
        "engine/test_suspend.py::test_attempts_that_failed_before_the_question_count_after_it",
        "worker/test_runner.py::test_the_retry_policy_counts_attempts_across_processes",
    ),
    15: (
        "engine/test_run.py::test_what_is_not_tried_again",
        "engine/test_recovery.py::test_the_delays_of_one_life_follow_the_policy",
        "engine/test_retry.py::test_a_delay_stays_within_its_bounds",
        "engine/test_retry.py::test_delays_without_jitter_grow_by_the_backoff_up_to_the_cap",
    ),
    16: (
        "engine/test_run.py::test_an_async_step_past_its_timeout_is_cancelled_and_tried_again",
        "engine/test_run.py::test_a_sync_step_past_its_timeout_is_told_so",
        "engine/test_run.py::test_a_sync_step_that_does_not_stop_is_left_behind",
        "engine/test_run.py::test_a_step_that_swallows_its_cancellation_still_times_out",
        "worker/test_runner.py::test_goes_on_in_a_new_process_when_a_step_hangs_past_its_timeout",
    ),
    # Parallel and branch
    17: ("engine/test_parallel.py::test_a_tuple_in_the_arms_order_whichever_ends_first",),
    18: ("engine/test_parallel.py::test_siblings_finish_and_only_the_failed_arm_runs_again",),
    19: (
        "engine/test_suspend.py::test_a_failed_arm_withdraws_the_question_of_the_other",
        "engine/test_suspend.py::test_an_arm_that_would_ask_beside_a_failed_one_is_not_heard",
        "engine/test_suspend.py::test_a_failed_arm_withdraws_questions_however_deep",
    ),
    20: (
        "engine/test_parallel.py::test_a_collected_failure_stands_in_its_place",
        "engine/test_parallel.py::test_all_arms_may_fail_and_a_nested_one_names_its_step",
    ),
    21: ("engine/test_suspend.py::test_two_arms_ask_and_each_is_answered_for_itself",),
    22: ("engine/test_suspend.py::test_two_arms_ask_and_each_is_answered_for_itself",),
    23: (
        "engine/test_suspend.py::test_an_answer_while_another_arm_is_at_work_loses_nothing_of_it",
        "engine/test_processes.py::"
        "test_an_answer_given_elsewhere_reaches_a_walk_whose_other_arm_is_busy",
        "worker/test_resting.py::test_an_answer_while_another_arm_is_at_work",
    ),
    24: (
        "engine/test_branch.py::test_the_first_condition_that_holds",
        "engine/test_branch.py::test_otherwise",
        "engine/test_branch.py::test_no_condition_holds_and_there_is_no_otherwise",
    ),
    25: ("engine/test_branch.py::test_a_condition_that_raises_is_not_taken_for_false",),
    26: (
        "engine/test_branch.py::test_a_decision_is_never_taken_again",
        "engine/test_branch.py::"
        "test_a_decision_is_kept_on_resume_and_in_a_fork_though_all_was_built_anew",
    ),
    27: ("engine/test_branch.py::test_every_arm_whose_condition_holds",),
    28: ("engine/test_branch.py::test_a_nested_workflow_that_begins_with_a_map_sees_the_value",),
    # Loops and foreach
    29: (
        "engine/test_loops.py::test_while_then_until",
        "engine/test_loops.py::test_the_body_runs_once_where_the_first_look_is_enough",
    ),
    30: ("engine/test_loops.py::test_a_condition_that_raises",),
    31: ("engine/test_suspend.py::test_every_iteration_asks_for_itself",),
    32: ("engine/test_suspend.py::test_a_loop_over_a_workflow_that_asks",),
    33: ("engine/test_loops.py::test_the_most_iterations",),
    34: (
        "engine/test_foreach.py::test_order_is_kept_and_each_item_has_its_path",
        "engine/test_foreach.py::test_the_window_slides",
    ),
    35: (
        "engine/test_foreach.py::test_no_items_give_no_items",
        "engine/test_foreach.py::test_ten_thousand_items",
    ),
    36: ("engine/test_foreach.py::test_a_failure_stops_dispatch_and_only_what_failed_runs_again",),
    37: ("engine/test_foreach.py::test_collected_failures_and_how_far_it_is",),
    38: ("engine/test_suspend.py::test_items_that_ask_fill_the_window_and_are_answered_by_path",),
    39: ("engine/test_foreach.py::test_how_far_it_is_can_be_read_live",),
    # Suspend, events, sleep
    40: ("engine/test_suspend.py::test_a_run_that_asks_is_suspended_and_its_answer_ends_it",),
    41: (
        "engine/test_suspend.py::test_an_answer_that_does_not_fit_leaves_the_question_open",
        "engine/test_suspend.py::test_an_empty_answer_takes_the_defaults",
        "engine/test_suspend.py::test_what_is_falsy_is_an_answer",
        "engine/test_suspend.py::"
        "test_an_answer_that_only_the_validator_refuses_opens_the_question_again",
    ),
    42: ("engine/test_suspend.py::test_two_questions_of_one_step_are_asked_one_after_the_other",),
    43: ("engine/test_state.py::test_the_state_set_before_a_question_is_kept",),
    44: (
        "engine/test_suspend.py::test_of_two_answers_at_once_one_counts",
        "engine/test_processes.py::test_of_two_processes_that_answer_one_question_one_is_heard",
    ),
    45: (
        "engine/test_suspend.py::test_an_answer_that_nobody_waits_for_is_refused_with_what_is_open",
        "engine/test_suspend.py::test_an_answer_to_a_run_that_sleeps_is_refused",
    ),
    46: (
        "engine/test_events.py::test_an_event_that_comes_early_is_kept",
        "engine/test_events.py::test_an_event_that_does_not_come_in_time_is_a_failed_step",
        "engine/test_events.py::"
        "test_an_event_that_nobody_will_wait_for_is_refused_with_what_is_awaited",
        "worker/test_resting.py::test_an_event_walks_a_run_on_and_its_timeout_fails_it",
    ),
    47: (
        "engine/test_sleep.py::test_a_run_sleeps_until_its_instant",
        "engine/test_sleep.py::test_killed_and_recovered_after_fifty_minutes_it_sleeps_ten_more",
        "engine/test_sleep.py::test_recovered_after_three_hours_it_goes_on_at_once",
        "worker/test_resting.py::test_a_sleeping_run_holds_no_process_and_the_worker_wakes_it",
    ),
    48: (
        "engine/test_sleep.py::test_a_sleep_of_nothing_goes_on",
        "engine/test_sleep.py::test_a_sleep_function_that_raises_fails_at_its_path",
    ),
    # State
    49: (
        "engine/test_state.py::test_the_last_state_set_in_a_step_is_seen_at_once_and_by_the_next",
        "engine/test_state.py::test_what_a_failed_attempt_set_is_gone",
    ),
    50: (
        "engine/test_state.py::test_arms_that_set_different_fields_keep_both",
        "engine/test_state.py::test_state_flows_into_nested_workflows_of_the_same_schema_and_back",
    ),
    51: ("engine/test_state.py::test_a_state_that_does_not_fit_fails_the_step",),
    # Cancel, recover, fork
    52: (
        "engine/test_cancel.py::test_cancel_ends_an_async_step_in_a_nested_workflow_and_is_final",
        "engine/test_cancel.py::test_a_synchronous_step_is_told_and_its_result_is_discarded",
        "engine/test_cancel.py::test_cancel_of_a_suspended_run_is_at_once",
        "engine/test_cancel.py::test_cancel_of_a_queued_run_is_at_once",
        "engine/test_sleep.py::test_a_cancel_ends_the_sleep_at_once",
        "worker/test_runner.py::test_cancel_ends_the_run_and_all_its_processes",
    ),
    53: ("engine/test_cancel.py::test_cancel_of_an_ended_run_is_refused_and_changes_nothing",),
    54: (
        "engine/test_cancel.py::test_cancel_ends_an_async_step_in_a_nested_workflow_and_is_final",
        "engine/test_cancel.py::test_a_cancel_touches_no_other_run",
    ),
    55: (
        "engine/test_recovery.py::test_a_death_at_any_commit",
        "engine/test_processes.py::test_a_run_whose_process_was_killed_is_taken_up_at_once",
    ),
    56: (
        "engine/test_parallel.py::test_a_death_at_any_commit",
        "engine/test_parallel.py::"
        "test_an_arm_that_is_through_is_on_record_while_others_are_at_work",
    ),
    57: (
        "engine/test_disk_full.py::"
        "test_where_a_result_cannot_be_recorded_the_next_step_is_not_called_and_it_can_go_on",
        "engine/test_recovery.py::"
        "test_where_a_result_cannot_be_recorded_the_next_step_is_not_called",
    ),
    58: (
        "engine/test_fork.py::test_a_fork_takes_over_what_came_before_and_leaves_the_old_run_alone",
        "engine/test_fork.py::test_a_fork_of_a_failed_run_at_the_failed_step_goes_on_from_there",
        "engine/test_fork.py::"
        "test_behind_a_branch_the_decision_is_kept_and_at_the_branch_it_is_taken_anew",
        "engine/test_fork.py::test_a_fork_at_one_item_takes_over_the_others",
    ),
    59: (
        "engine/test_fork.py::test_a_fork_is_refused_where_it_cannot_begin",
        "engine/test_fork.py::test_a_fork_of_a_run_that_is_walked_is_refused",
    ),
    60: (
        "engine/test_definition_change.py::"
        "test_a_step_inserted_before_the_question_is_named_and_nothing_is_guessed",
        "engine/test_definition_change.py::test_steps_added_behind_are_simply_run",
        "worker/test_resting.py::test_a_definition_that_changed_is_named_and_put_back_it_goes_on",
    ),
}


@cache
def found_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


@pytest.mark.parametrize("number", range(1, 61))
def test_every_scenario_has_its_tests(number: int) -> None:
    assert SCENARIOS[number]
    for name in SCENARIOS[number]:
        file, _, test = name.partition("::")
        assert test in found_in(TESTS / file), name


def test_no_scenario_is_named_that_there_is_not() -> None:
    assert sorted(SCENARIOS) == list(range(1, 61))
