"""One small log of every format, and what it says."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

__all__ = ["LOGS", "MS", "Log", "S"]

MS, S = 10**6, 10**9
T0 = 1_790_000_000 * S  # 2026-09-21T14:13:20Z


class Log(NamedTuple):
    """A log, the trace columns it gives in order of arrival, and the first arrival's date."""

    text: str
    columns: dict[str, list[Any]]
    t0: int | None = None


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def otlp(*spans: dict[str, Any]) -> str:
    made = [
        {
            "traceId": "t", "spanId": span["id"], "parentSpanId": span.get("parent", ""),
            "name": "chat", "startTimeUnixNano": str(T0 + span["at"] * S),
            "endTimeUnixNano": str(T0 + span["at"] * S + 2 * S),
            "attributes": [
                {"key": key, "value": {"intValue": str(v)} if isinstance(v, int)
                 else {"doubleValue": v} if isinstance(v, float) else {"stringValue": v}}
                for key, v in span["attributes"].items()
            ],
            "status": span.get("status", {}),
        }
        for span in spans
    ]  # fmt: skip
    return lines({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": made}]}]})


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30}  # fmt: skip
CONSOLE = json.dumps(
    {"name": "chat", "context": {"trace_id": "0x0", "span_id": "0x1"}, "parent_id": None,
     "start_time": "2026-09-21T14:13:20.000000Z", "end_time": "2026-09-21T14:13:22.500000Z",
     "status": {"status_code": "ERROR"}, "attributes": CHAT}, indent=4)  # fmt: skip
BENCH = {"model_id": "m", "input_lens": [128, 64], "output_lens": [3, 0], "ttfts": [0.041, 0.0],
         "itls": [[0.011, 0.012], []], "start_times": [5321.10, 5321.35],
         "errors": ["", "Connection reset"], "request_rate": float("inf")}  # fmt: skip
GUIDE = {"type_": "generative_request_stats", "request_id": "g1", "prompt_tokens": 128,
         "output_tokens": 20, "request_latency": 1.2,
         "info": {"status": "completed", "conversation_id": "c", "turn_index": 0, "timings": {
             "request_start": 1790000000.0, "first_token_iteration": 1790000000.25,
             "last_token_iteration": 1790000001.25, "request_end": 1790000001.5}}}  # fmt: skip
OLD_GUIDE = {"type_": "generative_text_response", "request_id": "g0", "prompt_tokens": 12,
             "output_tokens": 5, "start_time": 1790000001.0, "end_time": 1790000002.0,
             "first_token_time": 1790000001.5, "last_token_time": 1790000002.0}  # fmt: skip
DYNAMO = {
    "schema": "dynamo.request.trace.v1",
    "event_type": "request_end",
    "agent_context": {"session_id": "run-1"},
    "request": {
        "request_id": "q1",
        "model": "m",
        "input_tokens": 130,
        "output_tokens": 20,
        "cached_tokens": 64,
        "request_received_ms": 1790000000000,
        "ttft_ms": 210.5,
        "total_time_ms": 1890.0,
        "worker": {"decode_worker_id": 3},
        "replay": {
            "trace_block_size": 64,
            "input_length": 130,
            "input_sequence_hashes": [9007199254740993, 2**64 - 1, 13],
        },
    },
}
TOOL = {"schema": "dynamo.request.trace.v1", "event_type": "tool_end", "tool": {"status": "ok"}}

LOGS = {
    "azure": Log(
        "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2026-09-21 14:13:20+00:00,2,100,20\n"
        "2026-09-21 14:13:20.009930+00:00,0,7,1\n",
        {"arrival_ns": [0, 9_930_000], "input_tokens": [100, 7], "num_images": [2, 0]}, T0,
    ),
    "burstgpt": Log(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,0,1087,API log\n",
        {"arrival_ns": [0, 40 * S], "output_tokens": [18, None], "outcome": ["ok", "error"],
         "task": ["task-1", "task-2"]},
    ),
    "bailian": Log(
        lines({"chat_id": 12, "parent_chat_id": 3, "timestamp": 61.5, "input_length": 33,
               "output_length": 9, "type": "text", "turn": 2, "hash_ids": [7, 8, 40]}),
        {"input_tokens": [33], "turn": [1], "block_ids": [[0, 1, 2]], "block_size": [16]},
    ),
    "mooncake": Log(
        lines({"timestamp": 3000, "input_length": 1100, "output_length": 40, "hash_ids": [4, 1, 2]}),
        {"output_tokens": [40], "block_ids": [[0, 1, 2]], "block_size": [512]},
    ),
    "weka": Log(
        json.dumps({"id": "t1", "block_size": 64, "hash_id_scope": "local", "requests": [
            {"t": 0.0, "type": "n", "model": "m", "in": 200, "out": 9, "hash_ids": [1, 2, 3],
             "stop": "tool_use", "think_time": 0.0, "api_time": 2.5},
            {"type": "subagent", "agent_id": "a"}]}),
        {"input_tokens": [200], "e2e_ns": [2_500 * MS], "session_id": ["s0"], "block_size": [64]},
    ),
    "weka_flat": Log(
        lines(*({"trace_id": name, "t": t, "type": "n", "in": 128, "out": 2, "hash_ids": [1, 2],
                 "api_time": 1.0} for t, name in enumerate("ab"))),
        {"session_id": ["s0", "s1"], "block_ids": [[0, 1], [2, 3]]},
    ),
    "vidur": Log(
        "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n128,16,144,8.0\n",
        {"input_tokens": [128], "arrival_ns": [None]},
    ),
    "splitwise": Log(
        "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n"
        "0,2,0,0.5,1,128,16\n",
        {"input_tokens": [128], "output_tokens": [16]},
    ),
    "blis": Log(
        "request_id,client_id,tenant_id,slo_class,session_id,round_index,streaming,input_tokens,"
        "output_tokens,image_tokens,model,arrival_time_us,send_time_us,first_chunk_time_us,"
        "last_chunk_time_us,status,finish_reason\n"
        "0,c1,t1,interactive,s1,0,true,128,16,8,m,0,1000,200000,900000,ok,stop\n"
        "1,c1,t1,interactive,s1,1,true,128,0,0,m,500,1000,0,0,timeout,\n",
        {"ttft_ns": [200 * MS, None], "e2e_ns": [900 * MS, None], "outcome": ["ok", "timeout"],
         "output_tokens": [16, None], "image_tokens": [8, 0], "ttft_clock": ["client", None]},
    ),
    "lmbench": Log(
        "prompt_tokens,generation_tokens,ttft,generation_time,user_id,question_id,launch_time,"
        "finish_time\n76.0,20.0,0.5,0.25,7,1,1790000000.0,1790000000.75\n",
        {"input_tokens": [76], "ttft_ns": [500 * MS], "e2e_ns": [750 * MS]}, T0,
    ),
    "vllm_multiturn": Log(
        "start_time_ms,ttft_ms,tpot_ms,latency_ms,input_num_turns,input_num_tokens,"
        "output_num_tokens,conversation_id,client_id\n5000.5,100.25,10,1100.25,3,40,101,x,0\n",
        {"ttft_ns": [100_250_000], "turn": [1]},
    ),
    "inferencex": Log(
        "user_id,request_idx,request_type,input_tokens,output_tokens_actual,ttft,ttlt,success,"
        "request_start_time,token_timestamps\n"
        'u,0,streaming,10,2,0.5,1.25,True,1790000000.0,"[1790000000.5, 1790000001.25]"\n',
        {"e2e_ns": [1_250 * MS], "token_offsets_ns": [[500 * MS, 1_250 * MS]]}, T0,
    ),
    "aiperf": Log(
        lines({"metadata": {"x_request_id": "a", "conversation_id": "c1", "turn_index": 1,
                            "request_start_ns": T0, "request_end_ns": T0 + S,
                            "benchmark_phase": "profiling", "was_cancelled": False},
               "metrics": {"time_to_first_token": {"value": 210.0, "unit": "ms"},
                           "inter_chunk_latency": {"value": [10.0, 20.0], "unit": "ms"},
                           "request_latency": {"value": 1000.0, "unit": "ms"},
                           "input_sequence_length": {"value": 128, "unit": "tokens"},
                           "output_sequence_length": {"value": 16, "unit": "tokens"}}}),
        {"input_tokens": [128], "outcome": ["ok"], "session_id": ["s0"],
         "token_offsets_ns": [[210 * MS, 220 * MS, 240 * MS]]}, T0,
    ),
    "guidellm": Log(
        json.dumps({"metadata": {}, "benchmarks": [
            {"requests": {"successful": [GUIDE], "errored": []}},
            {"requests": {"successful": [], "incomplete": [OLD_GUIDE]}}]}),
        {"ttft_ns": [250 * MS, 500 * MS], "e2e_ns": [1_500 * MS, S], "last_token_ns":
         [1_250 * MS, S], "outcome": ["ok", "unfinished"], "run_id": ["log-0", "log-1"]}, T0,
    ),
    "guidellm_requests": Log(
        lines(GUIDE), {"input_tokens": [128], "ttft_ns": [250 * MS], "session_id": ["s0"]}, T0
    ),
    "inference_perf": Log(
        json.dumps([{"stage_id": 0, "scheduled_time": 5000.0, "start_time": 5000.0,
                     "end_time": 5001.5, "request_data": "{}", "error": None,
                     "info": {"request_metrics": {"text": {"input_tokens": 64}},
                              "response_metrics": {"output_tokens": 8,
                                                   "output_token_times": [5000.25, 5000.5]}}}]),
        {"ttft_ns": [250 * MS], "e2e_ns": [1_500 * MS], "outcome": ["ok"],
         "token_offsets_ns": [[250 * MS, 500 * MS]]},
    ),
    "vllm_bench": Log(
        json.dumps(BENCH),
        {"arrival_ns": [0, 250 * MS], "input_tokens": [128, 64], "output_tokens": [3, None],
         "ttft_ns": [41 * MS, None], "e2e_ns": [64 * MS, None], "outcome": ["ok", "error"],
         "token_offsets_ns": [[41 * MS, 52 * MS, 64 * MS], None], "model": ["m", "m"]},
    ),
    "llmperf": Log(
        json.dumps([{"error_code": None, "ttft_s": 0.5, "end_to_end_latency_s": 2.0,
                     "number_input_tokens": 550, "number_output_tokens": 150}]),
        {"arrival_ns": [None], "ttft_ns": [500 * MS], "outcome": ["ok"]},
    ),
    "aibrix_workload": Log(
        lines({"timestamp": 0, "requests": [{"prompt": "x", "prompt_length": 9, "output_length": 5}]},
              {"timestamp": 1500, "requests": [
                  {"prompt": "y", "prompt_length": 8, "output_length": 4, "session_id": "s"}]}),
        {"arrival_ns": [0, 1500 * MS], "input_tokens": [9, 8], "output_tokens": [5, 4]},
    ),
    "aibrix": Log(
        lines({"request_id": "1", "status": "success", "prompt_tokens": 64, "output_tokens": 10,
               "latency": 0.5, "start_time": 812.0, "end_time": 812.5, "ttft": 0.05,
               "target_pod": "10.0.0.4", "session_id": None}),
        {"e2e_ns": [500 * MS], "instance_id": ["i0"], "outcome": ["ok"]},
    ),
    "llmservingsim": Log(
        lines({"request_id": "q", "input_toks": 7, "output_toks": 3, "arrival_time": 1790000000.0,
               "queued_ts": 100.0, "scheduled_ts": 100.25, "first_token_ts": 100.5,
               "last_token_ts": 101.0}),
        {"queue_ns": [250 * MS], "ttft_ns": [500 * MS], "e2e_ns": [S]},
        T0,
    ),
    "llmservingsim_workload": Log(
        lines({"input_toks": 10, "output_toks": 5, "arrival_time_ns": 7}), {"output_tokens": [5]}
    ),
    "llmservingsim_sessions": Log(
        lines({"session_id": "s", "arrival_time_ns": 0, "sub_requests": [
            {"input_toks": 10, "output_toks": 5, "tool_duration_ns": 9}, {"input_toks": 20,
             "output_toks": 6}]}),
        {"arrival_ns": [None, None], "input_tokens": [10, 20], "session_id": ["s0", "s0"]},
    ),
    "dynamo": Log(
        lines(DYNAMO, TOOL),
        {"ttft_ns": [210_500_000], "cached_tokens": [64], "block_ids": [[0, 1, 2]],
         "block_size": [64], "instance_id": ["i0"]}, T0,
    ),
    "dynamo_wrapped": Log(
        lines({"timestamp": 1790000001900, "event": DYNAMO}, {"timestamp": 1, "event": TOOL}),
        {"e2e_ns": [1_890 * MS], "session_id": ["s0"]}, T0,
    ),
    "sglang": Log(
        lines({"request_parameters": json.dumps({"rid": "r1", "stream": True}), "id": "r1",
               "finish_reason": {"type": "stop", "matched": 2}, "prompt_tokens": 256,
               "completion_tokens": 40, "cached_tokens": 128, "e2e_latency": 1.0,
               "queue_time": 0.004, "request_received_ts": 1790000000.0,
               "prefill_finished_time": 1790000000.25}),
        {"ttft_ns": [250 * MS], "streaming": [True], "finish_reason": ["stop"], "outcome": ["ok"]},
        T0,
    ),
    "sglang_requests": Log(
        lines({"timestamp": "2026-09-21T14:13:20", "event": "request.received", "rid": "a",
               "obj": {"rid": "a", "stream": True}},
              {"timestamp": "2026-09-21T14:13:22", "event": "request.finished", "rid": "a",
               "obj": {"rid": "a"}, "out": {"meta_info": {
                   "finish_reason": {"type": "abort"}, "prompt_tokens": 42,
                   "completion_tokens": 5, "e2e_latency": 1.5}}}),
        {"input_tokens": [42], "e2e_ns": [1_500 * MS], "outcome": ["cancelled"],
         "streaming": [True]}, T0,
    ),
    "cara": Log(
        lines({"request_id": "a", "instance_id": "x", "num_prompt_tokens": 9,
               "actual_output_tokens": 4, "actual_ttft_s": 0.5, "actual_e2e_latency_s": 1.5,
               "num_running": 3, "num_waiting": 1, "kv_cache_utilization": 0.25}),
        {"running_at_arrival": [3], "kv_usage_at_arrival": [0.25], "ttft_ns": [500 * MS]},
    ),
    "otlp": Log(
        otlp({"id": "a", "at": 0, "attributes": CHAT | {"gen_ai.operation.name": "invoke_agent"}},
             {"id": "b", "at": 0, "parent": "a", "attributes": CHAT | {
                 "gen_ai.response.time_to_first_chunk": 0.5}},
             {"id": "c", "at": 1, "parent": "b", "attributes": CHAT | {
                 "gen_ai.latency.e2e": 1.5, "gen_ai.latency.time_to_first_token": 0.25}},
             {"id": "d", "at": 2, "attributes": {"gen_ai.usage.prompt_tokens": 7,
                                                 "error.type": "RateLimitError"}}),
        {"input_tokens": [120, 7], "e2e_ns": [1_500 * MS, 2 * S], "ttft_ns": [250 * MS, None],
         "outcome": ["ok", "rejected"]}, T0 + S,
    ),
    "otlp_snake": Log(
        lines({"resource_spans": [{"scope_spans": [{"spans": [{
            "trace_id": "t", "span_id": "a", "start_time_unix_nano": str(T0),
            "end_time_unix_nano": str(T0 + S), "attributes": [
                {"key": "gen_ai.usage.input_tokens", "value": {"int_value": "12"}},
                {"key": "gen_ai.response.finish_reasons", "value": {
                    "array_value": {"values": [{"string_value": "stop"}]}}}]}]}]}]}),
        {"input_tokens": [12], "e2e_ns": [S], "finish_reason": ["stop"]}, T0,
    ),
    "tempo": Log(
        otlp({"id": "a", "at": 0, "attributes": CHAT}).replace("resourceSpans", "batches"),
        {"output_tokens": [30], "e2e_ns": [2 * S]}, T0,
    ),
    "otel_collected": Log(
        json.dumps({"trace_id": "x", "span_count": 1, "spans": [
            {"trace_id": "x", "span_id": "a", "parent_span_id": None,
             "start_time": "2026-09-21T14:13:20.000000", "end_time": "2026-09-21T14:13:22.500000",
             "attributes": CHAT}]}),
        {"input_tokens": [120], "e2e_ns": [2_500 * MS], "outcome": ["ok"]}, T0,
    ),
    "otel_console": Log(
        CONSOLE + CONSOLE.replace("0x1", "0x2"),
        {"input_tokens": [120, 120], "outcome": ["error", "error"], "e2e_ns": [2_500 * MS] * 2}, T0,
    ),
    "litellm": Log(
        "request_id,call_type,prompt_tokens,completion_tokens,startTime,endTime,"
        "completionStartTime,model,metadata,session_id,status\n"
        'a,acompletion,120,30,2026-09-21 14:13:20,2026-09-21 14:13:22,2026-09-21 14:13:20.5,m,'
        '"{""user_api_key_team_id"": ""t"", ""usage_object"": {""prompt_tokens_details"": '
        '{""cached_tokens"": 64}}}",s,success\n'
        "b,acompletion,5,3,2026-09-21 14:13:21,2026-09-21 14:13:22,2026-09-21 14:13:22,m,{},s,failure\n"
        "c,aembedding,5,0,2026-09-21 14:13:21,2026-09-21 14:13:22,2026-09-21 14:13:22,m,{},s,success\n",
        {"ttft_ns": [500 * MS, None], "e2e_ns": [2 * S, S], "cached_tokens": [64, None],
         "tenant_id": ["t0", None], "outcome": ["ok", "error"]}, T0,
    ),
    "langfuse": Log(
        "id,type,startTime,endTime,completionStartTime,level,model,usageDetails\n"
        'a,GENERATION,2026-09-21T14:13:20Z,2026-09-21T14:13:22Z,2026-09-21T14:13:20.5Z,DEFAULT,m,'
        '"{""input"": 20, ""output"": 30, ""input_cached_tokens"": 100, ""total"": 150}"\n'
        'b,GENERATION,2026-09-21T14:13:21Z,2026-09-21T14:13:22Z,,ERROR,m,'
        '"{""input"": 120, ""output"": 30, ""input_cached_tokens"": 100, ""total"": 150}"\n'
        "c,SPAN,2026-09-21T14:13:21Z,2026-09-21T14:13:22Z,,DEFAULT,,{}\n",
        {"input_tokens": [120, 120], "cached_tokens": [100, 100], "output_tokens": [30, 30],
         "ttft_ns": [500 * MS, None], "outcome": ["ok", "error"]}, T0,
    ),
    "helicone": Log(
        lines({"request_id": "h1", "request_created_at": "2026-09-21T14:13:20.000Z",
               "latency": 1800, "time_to_first_token": 300, "status": 200, "model": "m",
               "prompt_tokens": 100, "completion_tokens": 20,
               "properties": {"Helicone-Session-Id": "s1"}}),
        {"e2e_ns": [1_800 * MS], "ttft_ns": [300 * MS], "session_id": ["s0"], "outcome": ["ok"]}, T0,
    ),
    "openrouter": Log(
        "generation_id,created_at,model,streamed,latency,generation_time,native_tokens_prompt,"
        "native_tokens_completion,tokens_prompt,tokens_completion,cancelled\n"
        "a,2026-09-21T14:13:20.0+00:00,m,true,600,1400,90,25,80,20,false\n",
        {"input_tokens": [90], "ttft_ns": [600 * MS], "e2e_ns": [2 * S], "outcome": ["ok"]}, T0,
    ),
    "openrouter_activity": Log(
        "generation_id,created_at,tokens_prompt,tokens_completion,tokens_cached,cancelled,streamed,"
        "generation_time_ms,time_to_first_token_ms\n"
        "a,2026-09-21 14:13:20,100,50,64,false,true,1500,500\n",
        {"input_tokens": [100], "cached_tokens": [64], "ttft_ns": [500 * MS], "e2e_ns": [2 * S],
         "outcome": ["ok"]}, T0,
    ),
    "openrouter_data": Log(
        lines({"data": {"id": "gen-1", "created_at": "2026-09-21T14:13:20.0+00:00",
                        "streamed": False, "latency": 600, "generation_time": 1400,
                        "native_tokens_prompt": 90, "native_tokens_completion": 25}}),
        {"ttft_ns": [None], "e2e_ns": [2 * S], "output_tokens": [25]}, T0,
    ),
    "portkey": Log(
        lines({"created_at": "2026-09-21T14:13:20.000Z", "req_units": 90, "res_units": 25,
               "response_time": 1500, "response_status_code": 429, "ai_model": "m",
               "stream_mode": "FALSE", "request": {"body": {}}}),
        {"input_tokens": [90], "e2e_ns": [1_500 * MS], "outcome": ["rejected"]}, T0,
    ),
    "weave": Log(
        lines(*({"id": f"{op}{n}", "op_name": f"weave:///e/p/op/{op}:v", "trace_id": "t",
                 "parent_id": parent, "started_at": f"2026-09-21T14:13:2{n}.000000Z",
                 "ended_at": f"2026-09-21T14:13:2{n}.500000Z", "exception": failed,
                 "output": output, "summary": {"usage": {"m": {"prompt_tokens": 99}}}}
                for op, parent, output in (
                    ("answer", None, "text"),
                    ("messages.create", "a", {"model": "m", "usage": {
                        "input_tokens": 9, "cache_read_input_tokens": 20, "output_tokens": 5}}))
                for n, failed in enumerate((None, "boom")))),
        {"input_tokens": [29, 29], "cached_tokens": [20, 20], "output_tokens": [5, 5],
         "e2e_ns": [500 * MS] * 2, "outcome": ["ok", "error"]}, T0,
    ),
    "kong": Log(
        lines({"started_at": 1790000000000, "latencies": {"request": 977},
               "request": {"id": "a"}, "response": {"status": 200},
               "ai": {"ai-proxy": {"usage": {"prompt_tokens": 31, "completion_tokens": 4,
                                             "time_to_first_token": 117},
                                   "meta": {"request_mode": "stream", "response_model": "m"}}}}),
        {"input_tokens": [31], "ttft_ns": [117 * MS], "streaming": [True]}, T0,
    ),
    "kthena": Log(
        lines({"timestamp": "2026-09-21T14:13:20Z", "status_code": 504, "input_tokens": 200,
               "output_tokens": 0, "duration_total": 30050, "selected_pod": "p",
               "model_name": "m", "request_id": "a"}),
        {"e2e_ns": [30_050 * MS], "outcome": ["timeout"], "output_tokens": [None]}, T0,
    ),
    "bedrock": Log(
        lines({"schemaType": "ModelInvocationLog", "timestamp": "2026-09-21T14:13:20Z",
               "requestId": "r", "operation": "Converse", "modelId": "m",
               "input": {"inputTokenCount": 20, "cacheReadInputTokenCount": 100},
               "output": {"outputTokenCount": 5, "outputBodyJson": {"metrics": {"latencyMs": 700}}}}),
        {"input_tokens": [120], "cached_tokens": [100], "e2e_ns": [700 * MS]}, T0,
    ),
    "envoy": Log(
        lines({"start_time": "2026-09-21T14:13:20.000Z", "response_code": 200, "duration": "1850",
               "response_flags": "-", "ai_log": json.dumps({
                   "model": "m", "input_token": 120, "output_token": 30,
                   "llm_first_token_duration": 310})},
              {"start_time": "2026-09-21T14:13:21.000Z", "response_code": 0, "duration": "40",
               "response_flags": "DC", "ai_log": json.dumps({"input_token": 9})}),
        {"input_tokens": [120, 9], "ttft_ns": [310 * MS, None], "e2e_ns": [1_850 * MS, 40 * MS],
         "outcome": ["ok", "cancelled"]}, T0,
    ),
    "openai_batch": Log(
        lines({"id": "b", "custom_id": "r1", "response": {"status_code": 200, "body": {
            "model": "m", "usage": {"prompt_tokens": 22, "completion_tokens": 2}}}, "error": None}),
        {"arrival_ns": [None], "input_tokens": [22], "outcome": ["ok"]},
    ),
    "claude_code": Log(
        lines({"type": "user", "timestamp": "2026-09-21T14:13:19Z", "sessionId": "s"},
              *({"type": "assistant", "timestamp": f"2026-09-21T14:13:2{n}Z", "sessionId": "s",
                 "requestId": "r", "message": {"model": "m", "stop_reason": None, "usage": {
                     "input_tokens": 3, "cache_read_input_tokens": 90,
                     "cache_creation_input_tokens": 7, "output_tokens": 5 + n}}} for n in (0, 1))),
        {"input_tokens": [100], "output_tokens": [6], "cached_tokens": [90]}, T0,
    ),
    "codex": Log(
        lines({"timestamp": "2026-09-21T14:13:20Z", "type": "event_msg", "payload": {
            "type": "token_count", "info": {"last_token_usage": {
                "input_tokens": 50, "cached_input_tokens": 40, "output_tokens": 9,
                "reasoning_output_tokens": 4}}}}),
        {"input_tokens": [50], "reasoning_tokens": [4]}, T0,
    ),
}  # fmt: skip
