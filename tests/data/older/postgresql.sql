CREATE TABLE public.agent_messages (
    id bigint NOT NULL,
    session_id character varying NOT NULL,
    message_data text NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE SEQUENCE public.agent_messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.agent_messages_id_seq OWNED BY public.agent_messages.id;
CREATE TABLE public.agent_sessions (
    session_id character varying NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE public.turnlog_agent_messages_heads (
    session_id character varying NOT NULL,
    name character varying NOT NULL,
    main_of character varying,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    note bytea DEFAULT '\x'::bytea NOT NULL
);
CREATE TABLE public.turnlog_agent_messages_keys (
    session_id character varying NOT NULL,
    name character varying NOT NULL,
    main_of character varying,
    key character varying NOT NULL,
    "position" bigint NOT NULL
);
CREATE TABLE public.turnlog_agent_messages_records (
    id bigint NOT NULL,
    session_id character varying NOT NULL,
    name character varying NOT NULL,
    payload bytea NOT NULL,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE SEQUENCE public.turnlog_agent_messages_records_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.turnlog_agent_messages_records_id_seq OWNED BY public.turnlog_agent_messages_records.id;
CREATE TABLE public.turnlog_schema (
    messages_table text NOT NULL,
    version integer NOT NULL
);
ALTER TABLE ONLY public.agent_messages ALTER COLUMN id SET DEFAULT nextval('public.agent_messages_id_seq'::regclass);
ALTER TABLE ONLY public.turnlog_agent_messages_records ALTER COLUMN id SET DEFAULT nextval('public.turnlog_agent_messages_records_id_seq'::regclass);
INSERT INTO public.agent_messages VALUES (1, 'plain', '{"role":"user","content":"Question 0: grüße 🌍   "}', '2026-11-27 20:44:51.453313');
INSERT INTO public.agent_messages VALUES (2, 'plain', '{"type":"function_call","call_id":"c0","name":"look","arguments":"{\"n\": 0}"}', '2026-11-27 20:44:51.455312');
INSERT INTO public.agent_messages VALUES (3, 'plain', '{"type":"function_call_output","call_id":"c0","output":"0.0"}', '2026-11-27 20:44:51.455312');
INSERT INTO public.agent_messages VALUES (4, 'plain', '{"role":"assistant","content":"Answer 0"}', '2026-11-27 20:44:51.45714');
INSERT INTO public.agent_messages VALUES (5, 'plain', '{"role":"user","content":"Question 1: grüße 🌍   x"}', '2026-11-27 20:44:51.457811');
INSERT INTO public.agent_messages VALUES (6, 'plain', '{"role":"assistant","content":"Answer 1"}', '2026-11-27 20:44:51.459455');
INSERT INTO public.agent_messages VALUES (7, 'plain', '{"role":"user","content":"Question 2: grüße 🌍   xx"}', '2026-11-27 20:44:51.460726');
INSERT INTO public.agent_messages VALUES (8, 'plain', '{"role":"assistant","content":"Answer 2"}', '2026-11-27 20:44:51.462169');
INSERT INTO public.agent_messages VALUES (9, 'plain', '{"role":"user","content":"Question 3: grüße 🌍   xxx"}', '2026-11-27 20:44:51.465222');
INSERT INTO public.agent_messages VALUES (10, 'plain', '{"type":"function_call","call_id":"c3","name":"look","arguments":"{\"n\": 3}"}', '2026-11-27 20:44:51.465773');
INSERT INTO public.agent_messages VALUES (11, 'plain', '{"type":"function_call_output","call_id":"c3","output":"3.0"}', '2026-11-27 20:44:51.465773');
INSERT INTO public.agent_messages VALUES (12, 'plain', '{"role":"assistant","content":"Answer 3"}', '2026-11-27 20:44:51.46657');
INSERT INTO public.agent_messages VALUES (13, 'plain', '{"role":"user","content":"Question 4: grüße 🌍   xxxx"}', '2026-11-27 20:44:51.46708');
INSERT INTO public.agent_messages VALUES (14, 'plain', '{"role":"assistant","content":"Answer 4"}', '2026-11-27 20:44:51.47094');
INSERT INTO public.agent_messages VALUES (15, 'plain', '{"role":"user","content":"Question 5: grüße 🌍   xxxxx"}', '2026-11-27 20:44:51.471495');
INSERT INTO public.agent_messages VALUES (16, 'plain', '{"role":"assistant","content":"Answer 5"}', '2026-11-27 20:44:51.472001');
INSERT INTO public.agent_messages VALUES (17, 'plain', '{"role":"user","content":"Question 6: grüße 🌍   xxxxxx"}', '2026-11-27 20:44:51.472504');
INSERT INTO public.agent_messages VALUES (18, 'plain', '{"type":"function_call","call_id":"c6","name":"look","arguments":"{\"n\": 6}"}', '2026-11-27 20:44:51.473367');
INSERT INTO public.agent_messages VALUES (19, 'plain', '{"type":"function_call_output","call_id":"c6","output":"6.0"}', '2026-11-27 20:44:51.473367');
INSERT INTO public.agent_messages VALUES (20, 'plain', '{"role":"assistant","content":"Answer 6"}', '2026-11-27 20:44:51.475181');
INSERT INTO public.agent_messages VALUES (21, 'plain', '{"role":"user","content":"Question 7: grüße 🌍   xxxxxxx"}', '2026-11-27 20:44:51.478857');
INSERT INTO public.agent_messages VALUES (22, 'plain', '{"role":"assistant","content":"Answer 7"}', '2026-11-27 20:44:51.479367');
INSERT INTO public.agent_messages VALUES (23, 'plain', '{"role":"user","content":"Question 8: grüße 🌍   xxxxxxxx"}', '2026-11-27 20:44:51.479852');
INSERT INTO public.agent_messages VALUES (24, 'plain', '{"role":"assistant","content":"Answer 8"}', '2026-11-27 20:44:51.480373');
INSERT INTO public.agent_messages VALUES (25, 'plain', '{"role":"user","content":"Question 9: grüße 🌍   xxxxxxxxx"}', '2026-11-27 20:44:51.480846');
INSERT INTO public.agent_messages VALUES (26, 'plain', '{"type":"function_call","call_id":"c9","name":"look","arguments":"{\"n\": 9}"}', '2026-11-27 20:44:51.481328');
INSERT INTO public.agent_messages VALUES (27, 'plain', '{"type":"function_call_output","call_id":"c9","output":"9.0"}', '2026-11-27 20:44:51.481328');
INSERT INTO public.agent_messages VALUES (28, 'plain', '{"role":"assistant","content":"Answer 9"}', '2026-11-27 20:44:51.481812');
INSERT INTO public.agent_messages VALUES (29, 'plain', '{"role":"user","content":"Question 10: grüße 🌍   xxxxxxxxxx"}', '2026-11-27 20:44:51.482299');
INSERT INTO public.agent_messages VALUES (30, 'plain', '{"role":"assistant","content":"Answer 10"}', '2026-11-27 20:44:51.482838');
INSERT INTO public.agent_messages VALUES (31, 'plain', '{"role":"user","content":"Question 11: grüße 🌍   xxxxxxxxxxx"}', '2026-11-27 20:44:51.483328');
INSERT INTO public.agent_messages VALUES (32, 'plain', '{"role":"assistant","content":"Answer 11"}', '2026-11-27 20:44:51.483828');
INSERT INTO public.agent_messages VALUES (33, 'plain', '{"role":"user","content":"Question 12: grüße 🌍   xxxxxxxxxxxx"}', '2026-11-27 20:44:51.484306');
INSERT INTO public.agent_messages VALUES (34, 'plain', '{"type":"function_call","call_id":"c12","name":"look","arguments":"{\"n\": 12}"}', '2026-11-27 20:44:51.484781');
INSERT INTO public.agent_messages VALUES (35, 'plain', '{"type":"function_call_output","call_id":"c12","output":"12.0"}', '2026-11-27 20:44:51.484781');
INSERT INTO public.agent_messages VALUES (36, 'plain', '{"role":"assistant","content":"Answer 12"}', '2026-11-27 20:44:51.485263');
INSERT INTO public.agent_messages VALUES (37, 'plain', '{"role":"user","content":"Question 13: grüße 🌍   xxxxxxxxxxxxx"}', '2026-11-27 20:44:51.486316');
INSERT INTO public.agent_messages VALUES (38, 'plain', '{"role":"assistant","content":"Answer 13"}', '2026-11-27 20:44:51.486878');
INSERT INTO public.agent_messages VALUES (39, 'plain', '{"role":"user","content":"Question 14: grüße 🌍   xxxxxxxxxxxxxx"}', '2026-11-27 20:44:51.487372');
INSERT INTO public.agent_messages VALUES (40, 'plain', '{"role":"assistant","content":"Answer 14"}', '2026-11-27 20:44:51.487889');
INSERT INTO public.agent_messages VALUES (41, 'plain', '{"role":"user","content":"Question 15: grüße 🌍   xxxxxxxxxxxxxxx"}', '2026-11-27 20:44:51.48879');
INSERT INTO public.agent_messages VALUES (42, 'plain', '{"type":"function_call","call_id":"c15","name":"look","arguments":"{\"n\": 15}"}', '2026-11-27 20:44:51.489325');
INSERT INTO public.agent_messages VALUES (43, 'plain', '{"type":"function_call_output","call_id":"c15","output":"15.0"}', '2026-11-27 20:44:51.489325');
INSERT INTO public.agent_messages VALUES (44, 'plain', '{"role":"assistant","content":"Answer 15"}', '2026-11-27 20:44:51.490771');
INSERT INTO public.agent_messages VALUES (45, 'plain', '{"role":"user","content":"Question 16: grüße 🌍   xxxxxxxxxxxxxxxx"}', '2026-11-27 20:44:51.493399');
INSERT INTO public.agent_messages VALUES (46, 'plain', '{"role":"assistant","content":"Answer 16"}', '2026-11-27 20:44:51.494874');
INSERT INTO public.agent_messages VALUES (47, 'plain', '{"role":"user","content":"Question 17: grüße 🌍   xxxxxxxxxxxxxxxxx"}', '2026-11-27 20:44:51.495904');
INSERT INTO public.agent_messages VALUES (48, 'plain', '{"role":"assistant","content":"Answer 17"}', '2026-11-27 20:44:51.497544');
INSERT INTO public.agent_messages VALUES (49, 'plain', '{"role":"user","content":"Question 18: grüße 🌍   xxxxxxxxxxxxxxxxxx"}', '2026-11-27 20:44:51.503095');
INSERT INTO public.agent_messages VALUES (50, 'plain', '{"type":"function_call","call_id":"c18","name":"look","arguments":"{\"n\": 18}"}', '2026-11-27 20:44:51.505058');
INSERT INTO public.agent_messages VALUES (51, 'plain', '{"type":"function_call_output","call_id":"c18","output":"18.0"}', '2026-11-27 20:44:51.505058');
INSERT INTO public.agent_messages VALUES (52, 'plain', '{"role":"assistant","content":"Answer 18"}', '2026-11-27 20:44:51.507499');
INSERT INTO public.agent_messages VALUES (53, 'plain', '{"role":"user","content":"Question 19: grüße 🌍   xxxxxxxxxxxxxxxxxxx"}', '2026-11-27 20:44:51.511041');
INSERT INTO public.agent_messages VALUES (54, 'plain', '{"role":"assistant","content":"Answer 19"}', '2026-11-27 20:44:51.514682');
INSERT INTO public.agent_messages VALUES (55, 'keyed', '{"role":"user","content":"once"}', '2026-11-27 20:44:51.524614');
INSERT INTO public.agent_messages VALUES (56, 'keyed', '{"role":"user","content":"twice"}', '2026-11-27 20:44:51.527428');
INSERT INTO public.agent_messages VALUES (57, 'keyed', '{"role":"assistant","content":"yes"}', '2026-11-27 20:44:51.527428');
INSERT INTO public.agent_messages VALUES (63, 'gaps', '{"role":"user","content":"5"}', '2026-11-27 20:44:51.536662');
INSERT INTO public.agent_messages VALUES (64, 'gaps', '{"role":"user","content":"6"}', '2026-11-27 20:44:51.537097');
INSERT INTO public.agent_messages VALUES (65, 'gaps', '{"role":"user","content":"7"}', '2026-11-27 20:44:51.537508');
INSERT INTO public.agent_messages VALUES (66, 'gaps', '{"role":"user","content":"8"}', '2026-11-27 20:44:51.537919');
INSERT INTO public.agent_messages VALUES (67, 'gaps', '{"role":"user","content":"9"}', '2026-11-27 20:44:51.53833');
INSERT INTO public.agent_messages VALUES (68, 'gaps', '{"role":"user","content":"10"}', '2026-11-27 20:44:51.53881');
INSERT INTO public.agent_messages VALUES (69, 'gaps', '{"role":"user","content":"11"}', '2026-11-27 20:44:51.539271');
INSERT INTO public.agent_messages VALUES (70, 'gaps', '{"role":"user","content":"12"}', '2026-11-27 20:44:51.539671');
INSERT INTO public.agent_messages VALUES (71, 'gaps', '{"role":"user","content":"13"}', '2026-11-27 20:44:51.540074');
INSERT INTO public.agent_messages VALUES (72, 'gaps', '{"role":"user","content":"14"}', '2026-11-27 20:44:51.540516');
INSERT INTO public.agent_messages VALUES (73, 'gaps', '{"role":"user","content":"15"}', '2026-11-27 20:44:51.540916');
INSERT INTO public.agent_messages VALUES (74, 'gaps', '{"role":"user","content":"16"}', '2026-11-27 20:44:51.541309');
INSERT INTO public.agent_messages VALUES (75, 'gaps', '{"role":"user","content":"17"}', '2026-11-27 20:44:51.541707');
INSERT INTO public.agent_messages VALUES (76, 'gaps', '{"role":"user","content":"18"}', '2026-11-27 20:44:51.542121');
INSERT INTO public.agent_messages VALUES (77, 'gaps', '{"role":"user","content":"19"}', '2026-11-27 20:44:51.542559');
INSERT INTO public.agent_messages VALUES (78, 'gaps', '{"role":"user","content":"20"}', '2026-11-27 20:44:51.543305');
INSERT INTO public.agent_messages VALUES (79, 'gaps', '{"role":"user","content":"21"}', '2026-11-27 20:44:51.543997');
INSERT INTO public.agent_messages VALUES (80, 'gaps', '{"role":"user","content":"22"}', '2026-11-27 20:44:51.545517');
INSERT INTO public.agent_messages VALUES (81, 'gaps', '{"role":"user","content":"23"}', '2026-11-27 20:44:51.546078');
INSERT INTO public.agent_messages VALUES (82, 'gaps', '{"role":"user","content":"24"}', '2026-11-27 20:44:51.546483');
INSERT INTO public.agent_messages VALUES (83, 'gaps', '{"role":"user","content":"25"}', '2026-11-27 20:44:51.547246');
INSERT INTO public.agent_messages VALUES (88, 'gaps', '{"role":"user","content":"after the gap"}', '2026-11-27 20:44:51.557938');
INSERT INTO public.agent_messages VALUES (89, 'run', '{"content":"My name is Alice.","role":"user"}', '2026-11-27 20:44:51.568754');
INSERT INTO public.agent_messages VALUES (90, 'run', '{"id":"msg_offline_146d4ca3d23b798498ae7761","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"I''ll remember: your name is Alice.","annotations":[]}]}', '2026-11-27 20:44:51.570083');
INSERT INTO public.agent_messages VALUES (91, 'run', '{"content":"I live in Oslo.","role":"user"}', '2026-11-27 20:44:51.574971');
INSERT INTO public.agent_messages VALUES (92, 'run', '{"id":"msg_offline_a79b35f49c815bfdd8433d34","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"I''ll remember: you live in Oslo.","annotations":[]}]}', '2026-11-27 20:44:51.576765');
INSERT INTO public.agent_messages VALUES (93, 'run', '{"content":"What''s my name?","role":"user"}', '2026-11-27 20:44:51.580627');
INSERT INTO public.agent_messages VALUES (94, 'run', '{"id":"msg_offline_e7d96a1336580b69294efb69","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Your name is Alice.","annotations":[]}]}', '2026-11-27 20:44:51.581783');
INSERT INTO public.agent_messages VALUES (95, 'run', '{"content":"My dog is called Rex.","role":"user"}', '2026-11-27 20:44:51.585678');
INSERT INTO public.agent_messages VALUES (96, 'run', '{"id":"msg_offline_2226d7759d2bf7e3a9d82e4d","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"I''ll remember: your dog is called Rex.","annotations":[]}]}', '2026-11-27 20:44:51.586254');
INSERT INTO public.agent_messages VALUES (97, 'run', '{"content":"Where do I live?","role":"user"}', '2026-11-27 20:44:51.589247');
INSERT INTO public.agent_messages VALUES (98, 'run', '{"id":"msg_offline_f3bb67305d70e0cc9b91a331","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"You live in Oslo.","annotations":[]}]}', '2026-11-27 20:44:51.589881');
INSERT INTO public.agent_messages VALUES (99, 'run', '{"content":"Hello","role":"user"}', '2026-11-27 20:44:51.593157');
INSERT INTO public.agent_messages VALUES (100, 'run', '{"id":"msg_offline_8e43effb01fd8c04748e04b2","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"I''ll remember that you said so.","annotations":[]}]}', '2026-11-27 20:44:51.593919');
INSERT INTO public.agent_messages VALUES (101, 'run', '{"content":"A question under way","role":"user"}', '2026-11-27 20:44:51.596747');
INSERT INTO public.agent_messages VALUES (102, 'crashed', '{"role":"user","content":"unanswered"}', '2026-11-27 20:44:51.608146');
INSERT INTO public.agent_messages VALUES (103, 'a:b/c dé"''', '{"role":"user","content":"an odd id"}', '2026-11-27 20:44:51.609074');
INSERT INTO public.agent_sessions VALUES ('plain', '2026-11-27 20:44:51.45331', '2026-11-27 20:44:51.519752');
INSERT INTO public.agent_sessions VALUES ('keyed', '2026-11-27 20:44:51.524613', '2026-11-27 20:44:51.527428');
INSERT INTO public.agent_sessions VALUES ('gaps', '2026-11-27 20:44:51.528045', '2026-11-27 20:44:51.557938');
INSERT INTO public.agent_sessions VALUES ('run', '2026-11-27 20:44:51.568753', '2026-11-27 20:44:51.596747');
INSERT INTO public.agent_sessions VALUES ('crashed', '2026-11-27 20:44:51.608146', '2026-11-27 20:44:51.608146');
INSERT INTO public.agent_sessions VALUES ('a:b/c dé"''', '2026-11-27 20:44:51.609073', '2026-11-27 20:44:51.609074');
INSERT INTO public.turnlog_agent_messages_heads VALUES ('plain', 'main', 'plain', '2026-11-27 20:44:51.519752', '2026-11-27 20:44:51.519752', '\x7b227469746c65223a22412074616c6b2061626f75742074686520776f726c64227d');
INSERT INTO public.turnlog_agent_messages_heads VALUES ('run', ':turns', NULL, '2026-11-27 20:44:51.574287', '2026-11-27 20:44:51.592698', '\x');
INSERT INTO public.turnlog_agent_messages_heads VALUES ('run', 'run-30fe35670a78', NULL, '2026-11-27 20:44:51.598222', '2026-11-27 20:44:51.606071', '\x7b22666f726b65645f66726f6d223a7b226272616e6368223a226d61696e222c22706f736974696f6e223a3130307d7d');
INSERT INTO public.turnlog_agent_messages_heads VALUES ('run', ':lease@run-30fe35670a78', NULL, '2026-11-27 20:44:51.603907', '2026-11-27 20:44:51.606591', '\x');
INSERT INTO public.turnlog_agent_messages_heads VALUES ('run', ':lease', NULL, '2026-11-27 20:44:51.566723', '2026-11-27 20:44:51.607108', '\x');
INSERT INTO public.turnlog_agent_messages_heads VALUES ('run', ':usage', NULL, '2026-11-27 20:44:51.607709', '2026-11-27 20:44:51.607709', '\x');
INSERT INTO public.turnlog_agent_messages_heads VALUES ('crashed', ':lease', NULL, '2026-11-27 20:44:51.608625', '2026-11-27 20:44:51.608625', '\x');
INSERT INTO public.turnlog_agent_messages_keys VALUES ('keyed', 'main', 'keyed', 'request-1', 55);
INSERT INTO public.turnlog_agent_messages_keys VALUES ('keyed', 'main', 'keyed', 'request-2', 57);
INSERT INTO public.turnlog_agent_messages_records VALUES (3, 'run', ':turns', '\x7b22706f736974696f6e223a38392c227475726e223a307d', '2026-11-27 20:44:51.574287');
INSERT INTO public.turnlog_agent_messages_records VALUES (8, 'run', ':turns', '\x7b22706f736974696f6e223a39332c227475726e223a327d', '2026-11-27 20:44:51.592698');
INSERT INTO public.turnlog_agent_messages_records VALUES (10, 'run', 'run-30fe35670a78', '\x7b22636f6e74656e74223a224d79206e616d6520697320416c6963652e222c22726f6c65223a2275736572227d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (11, 'run', 'run-30fe35670a78', '\x7b226964223a226d73675f6f66666c696e655f313436643463613364323362373938343938616537373631222c2274797065223a226d657373616765222c22726f6c65223a22617373697374616e74222c22737461747573223a22636f6d706c65746564222c22636f6e74656e74223a5b7b2274797065223a226f75747075745f74657874222c2274657874223a2249276c6c2072656d656d6265723a20796f7572206e616d6520697320416c6963652e222c22616e6e6f746174696f6e73223a5b5d7d5d7d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (12, 'run', 'run-30fe35670a78', '\x7b22636f6e74656e74223a2249206c69766520696e204f736c6f2e222c22726f6c65223a2275736572227d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (13, 'run', 'run-30fe35670a78', '\x7b226964223a226d73675f6f66666c696e655f613739623335663439633831356266646438343333643334222c2274797065223a226d657373616765222c22726f6c65223a22617373697374616e74222c22737461747573223a22636f6d706c65746564222c22636f6e74656e74223a5b7b2274797065223a226f75747075745f74657874222c2274657874223a2249276c6c2072656d656d6265723a20796f75206c69766520696e204f736c6f2e222c22616e6e6f746174696f6e73223a5b5d7d5d7d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (14, 'run', 'run-30fe35670a78', '\x7b22636f6e74656e74223a22576861742773206d79206e616d653f222c22726f6c65223a2275736572227d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (15, 'run', 'run-30fe35670a78', '\x7b226964223a226d73675f6f66666c696e655f653764393661313333363538306236393239346566623639222c2274797065223a226d657373616765222c22726f6c65223a22617373697374616e74222c22737461747573223a22636f6d706c65746564222c22636f6e74656e74223a5b7b2274797065223a226f75747075745f74657874222c2274657874223a22596f7572206e616d6520697320416c6963652e222c22616e6e6f746174696f6e73223a5b5d7d5d7d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (16, 'run', 'run-30fe35670a78', '\x7b22636f6e74656e74223a224d7920646f672069732063616c6c6564205265782e222c22726f6c65223a2275736572227d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (17, 'run', 'run-30fe35670a78', '\x7b226964223a226d73675f6f66666c696e655f323232366437373539643262663765336139643832653464222c2274797065223a226d657373616765222c22726f6c65223a22617373697374616e74222c22737461747573223a22636f6d706c65746564222c22636f6e74656e74223a5b7b2274797065223a226f75747075745f74657874222c2274657874223a2249276c6c2072656d656d6265723a20796f757220646f672069732063616c6c6564205265782e222c22616e6e6f746174696f6e73223a5b5d7d5d7d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (18, 'run', 'run-30fe35670a78', '\x7b22636f6e74656e74223a22576865726520646f2049206c6976653f222c22726f6c65223a2275736572227d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (19, 'run', 'run-30fe35670a78', '\x7b226964223a226d73675f6f66666c696e655f663362623637333035643730653063633962393161333331222c2274797065223a226d657373616765222c22726f6c65223a22617373697374616e74222c22737461747573223a22636f6d706c65746564222c22636f6e74656e74223a5b7b2274797065223a226f75747075745f74657874222c2274657874223a22596f75206c69766520696e204f736c6f2e222c22616e6e6f746174696f6e73223a5b5d7d5d7d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (20, 'run', 'run-30fe35670a78', '\x7b22636f6e74656e74223a2248656c6c6f222c22726f6c65223a2275736572227d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (21, 'run', 'run-30fe35670a78', '\x7b226964223a226d73675f6f66666c696e655f386534336566666230316664386330343734386530346232222c2274797065223a226d657373616765222c22726f6c65223a22617373697374616e74222c22737461747573223a22636f6d706c65746564222c22636f6e74656e74223a5b7b2274797065223a226f75747075745f74657874222c2274657874223a2249276c6c2072656d656d626572207468617420796f75207361696420736f2e222c22616e6e6f746174696f6e73223a5b5d7d5d7d', '2026-11-27 20:44:51.598222');
INSERT INTO public.turnlog_agent_messages_records VALUES (23, 'run', 'run-30fe35670a78', '\x7b22636f6e74656e74223a224f6e2061206272616e63683a20776861742773206d79206e616d653f222c22726f6c65223a2275736572227d', '2026-11-27 20:44:51.605328');
INSERT INTO public.turnlog_agent_messages_records VALUES (24, 'run', 'run-30fe35670a78', '\x7b226964223a226d73675f6f66666c696e655f626137336330636438303865643735363439653533356463222c2274797065223a226d657373616765222c22726f6c65223a22617373697374616e74222c22737461747573223a22636f6d706c65746564222c22636f6e74656e74223a5b7b2274797065223a226f75747075745f74657874222c2274657874223a22596f7572206e616d6520697320416c6963652e222c22616e6e6f746174696f6e73223a5b5d7d5d7d', '2026-11-27 20:44:51.606071');
INSERT INTO public.turnlog_agent_messages_records VALUES (25, 'run', ':usage', '\x7b22746f6b656e73223a317d', '2026-11-27 20:44:51.607709');
INSERT INTO public.turnlog_agent_messages_records VALUES (26, 'run', ':usage', '\x00ff2062696e617279', '2026-11-27 20:44:51.607709');
INSERT INTO public.turnlog_agent_messages_records VALUES (27, 'crashed', ':lease', '\x7b22686f6c646572223a22736f6d65626f6479222c227365636f6e6473223a33302e302c22756e74696c223a313730303030303030302e307d', '2026-11-27 20:44:51.608625');
INSERT INTO public.turnlog_schema VALUES ('agent_messages', 1);
SELECT pg_catalog.setval('public.agent_messages_id_seq', 104, true);
SELECT pg_catalog.setval('public.turnlog_agent_messages_records_id_seq', 27, true);
ALTER TABLE ONLY public.agent_messages
    ADD CONSTRAINT agent_messages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.agent_sessions
    ADD CONSTRAINT agent_sessions_pkey PRIMARY KEY (session_id);
ALTER TABLE ONLY public.turnlog_agent_messages_heads
    ADD CONSTRAINT turnlog_agent_messages_heads_pkey PRIMARY KEY (session_id, name);
ALTER TABLE ONLY public.turnlog_agent_messages_keys
    ADD CONSTRAINT turnlog_agent_messages_keys_pkey PRIMARY KEY (session_id, name, key);
ALTER TABLE ONLY public.turnlog_agent_messages_records
    ADD CONSTRAINT turnlog_agent_messages_records_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.turnlog_schema
    ADD CONSTRAINT turnlog_schema_pkey PRIMARY KEY (messages_table);
CREATE INDEX idx_agent_messages_session_id ON public.agent_messages USING btree (session_id, id);
CREATE INDEX turnlog_agent_messages_heads_main_of_idx ON public.turnlog_agent_messages_heads USING btree (main_of);
CREATE INDEX turnlog_agent_messages_keys_main_of_idx ON public.turnlog_agent_messages_keys USING btree (main_of);
CREATE INDEX turnlog_agent_messages_records_log ON public.turnlog_agent_messages_records USING btree (session_id, name, id);
ALTER TABLE ONLY public.agent_messages
    ADD CONSTRAINT agent_messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.agent_sessions(session_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.turnlog_agent_messages_heads
    ADD CONSTRAINT turnlog_agent_messages_heads_main_of_fkey FOREIGN KEY (main_of) REFERENCES public.agent_sessions(session_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.turnlog_agent_messages_keys
    ADD CONSTRAINT turnlog_agent_messages_keys_main_of_fkey FOREIGN KEY (main_of) REFERENCES public.agent_sessions(session_id) ON DELETE CASCADE;
